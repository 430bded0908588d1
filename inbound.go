package pombo

import "time"

// Inbound is what a person wrote to the bot, as far as it can be an answer to a
// notification: text. Pictures, places and the like have none.
type Inbound struct {
	Identity Private   // what Blip calls the person who wrote it
	BSUID    Private   // what WhatsApp calls the person towards this business; "" when it did not say
	Text     Private   // what was written, or what a button sends; "" when it is no text
	Button   Private   // what stands on the button that was pressed; "" = none
	At       time.Time // by WhatsApp's or Blip's clock; zero when neither said
}
