package tracing

import (
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// The names of spans, which are few: what differs is in the attributes.
const (
	Notification = "notification" // of a message: from taking in to the end of its first attempt
	Attempt      = "attempt"      // of a message: one walk down the road
	Check        = "check"        // of a message: Blip is asked whether it has it

	Intake   = "intake"   // a pass over the table
	Settle   = "settle"   // a batch of results for the table
	Receipts = "receipts" // what Blip reports
	Poll     = "poll"     // Blip is asked what became of messages

	Enqueue = "ledger enqueue"
	Begin   = "ledger begin"
	Finish  = "ledger finish"
	Settled = "ledger settled"
)

// Permitted is the event of an attempt that has its turn: what came before was waiting.
const Permitted = "permitted"

// The attributes that OpenTelemetry names.
const (
	MessageID  = semconv.MessagingMessageIDKey
	Messages   = semconv.MessagingBatchMessageCountKey
	ErrorType  = semconv.ErrorTypeKey
	HTTPMethod = semconv.HTTPRequestMethodKey
	HTTPStatus = semconv.HTTPResponseStatusCodeKey
	Server     = semconv.ServerAddressKey
	ServerPort = semconv.ServerPortKey
	URL        = semconv.URLFullKey
	DBSystem   = semconv.DBSystemNameKey
	DBName     = semconv.DBCollectionNameKey
	DBOp       = semconv.DBOperationNameKey
	DBRows     = semconv.DBResponseReturnedRowsKey
)

// The attributes that are Pombo's own.
const (
	State      = attribute.Key("pombo.state")
	Reason     = attribute.Key("pombo.reason")
	AttemptNo  = attribute.Key("pombo.attempt")
	Generation = attribute.Key("pombo.generation")
	Template   = attribute.Key("pombo.template")
	Call       = attribute.Key("pombo.blip.call")
)
