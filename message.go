package pombo

// Message is a notification rendered for Blip.
type Message struct {
	MessageID MessageID
	To        string // the identity
	Template  string // the template's name
	Language  string // of the template; "" = the configured one
	Params    []Param
}
