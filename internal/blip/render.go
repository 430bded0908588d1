package blip

import (
	"cmp"
	"net/url"
	"path"
	"unicode/utf8"

	"pombo"
)

// Messages are written by hand, not by encoding/json: the shape is fixed, every
// message needs it, and maps or structs that differ by kind of component would cost an
// allocation each. The golden envelopes check the documented form.

// fixedHead returns the JSON that is the same in every message between the identity
// and the template's name, fixedTail that after the name.
func fixedHead(namespace string) string {
	h := []byte(`,"type":"application/json","content":{"type":"template","template":{`)
	if namespace != "" {
		h = append(h, `"namespace":`...)
		h = appendString(h, namespace)
		h = append(h, ',')
	}
	h = append(h, `"name":`...)
	return string(h)
}

func fixedTail(language string) string {
	// The policy means nothing today; Blip's samples all have it.
	t := appendString([]byte(`,"language":{"code":`), language)
	t = append(t, `,"policy":"deterministic"}`...)
	return string(t)
}

// appendMessage appends the envelope of m. It has no metadata: the documentation shows
// "#messageKind" in one sample and does not require it.
func (c *Client) appendMessage(b []byte, m pombo.Message) ([]byte, *pombo.Error) {
	template := m.Template
	if template == "" {
		template = c.opts.Template
	}
	switch {
	case m.MessageID == "":
		// Blip accepts such a message and never says what became of it.
		return nil, unsendable(pombo.BadRequest, "the message has no id")
	case m.To == "":
		return nil, unsendable(pombo.BadRequest, "the message has no identity to send to")
	case template == "":
		return nil, unsendable(pombo.TemplateMissing, "the message names no template and none is configured")
	}
	b = append(b, `{"id":`...)
	b = appendString(b, string(m.MessageID))
	b = append(b, `,"to":`...)
	b = appendString(b, m.To)
	b = append(b, c.head...)
	b = appendString(b, template)
	tail := c.tail
	if m.Language != "" && m.Language != c.opts.Language {
		tail = fixedTail(m.Language)
	}
	b = append(b, tail...)
	b, f := appendComponents(b, m.Params)
	return append(b, `}}}`...), f
}

// appendComponents appends the components that the parameters fill, in the order
// header, body, buttons by number; nothing when there are no parameters.
func appendComponents(b []byte, params []pombo.Param) ([]byte, *pombo.Error) {
	var headers, bodies, buttons int
	filename := ""
	for _, p := range params {
		switch p.Slot {
		case pombo.HeaderText, pombo.HeaderImage, pombo.HeaderVideo, pombo.HeaderDocument:
			headers++
		case pombo.HeaderFilename:
			filename = p.Value.Reveal() // part of the document
		case pombo.Body:
			bodies++
		default:
			if _, _, ok := p.Slot.Button(); !ok {
				return nil, unsendable(pombo.BadRequest, "a parameter has no slot in the template")
			}
			buttons++
		}
	}
	if len(params) == 0 {
		return b, nil
	}
	b = append(b, `,"components":[`...)
	if headers > 0 {
		b = append(b, `{"type":"header","parameters":[`...)
		for _, p := range params {
			switch p.Slot {
			case pombo.HeaderText:
				b = appendText(b, p.Value)
			case pombo.HeaderImage:
				b = appendMedia(b, "image", p.Value, "")
			case pombo.HeaderVideo:
				b = appendMedia(b, "video", p.Value, "")
			case pombo.HeaderDocument:
				b = appendMedia(b, "document", p.Value, cmp.Or(filename, nameIn(p.Value.Reveal())))
			}
		}
		b = append(trimComma(b), `]},`...)
	}
	if bodies > 0 {
		b = append(b, `{"type":"body","parameters":[`...)
		for _, p := range params {
			if p.Slot == pombo.Body {
				b = appendText(b, p.Value)
			}
		}
		b = append(trimComma(b), `]},`...)
	}
	for number := 0; buttons > 0 && number <= 9; number++ {
		for _, p := range params {
			if n, value, ok := p.Slot.Button(); ok && n == number {
				b = appendButton(b, number, value, p.Value)
				buttons--
			}
		}
	}
	return append(trimComma(b), ']'), nil
}

// appendText appends a text parameter and a comma.
func appendText(b []byte, v pombo.Private) []byte {
	b = append(b, `{"type":"text","text":`...)
	b = appendString(b, v.Reveal())
	return append(b, `},`...)
}

// appendMedia appends a parameter that links to an image, video or document, and a
// comma. Without a filename WhatsApp shows a document as "Untitled".
func appendMedia(b []byte, kind string, link pombo.Private, filename string) []byte {
	b = append(b, `{"type":"`...)
	b = append(b, kind...)
	b = append(b, `","`...)
	b = append(b, kind...)
	b = append(b, `":{"link":`...)
	b = appendString(b, link.Reveal())
	if filename != "" {
		b = append(b, `,"filename":`...)
		b = appendString(b, filename)
	}
	return append(b, `}},`...)
}

// nameIn returns the file name at the end of a link; "documento" when there is none.
func nameIn(link string) string {
	if u, err := url.Parse(link); err == nil {
		if name := path.Base(u.Path); path.Ext(name) != "" && path.Ext(name) != name {
			return name
		}
	}
	return "documento"
}

// appendButton appends the component of one button and a comma. The index is a
// string, as in Meta's documentation; Blip's samples have both.
func appendButton(b []byte, number int, value pombo.ButtonValue, v pombo.Private) []byte {
	b = append(b, `{"type":"button","sub_type":"`...)
	b = append(b, value...)
	b = append(b, `","index":"`...)
	b = append(b, '0'+byte(number))
	b = append(b, `","parameters":[`...)
	switch value {
	case pombo.ButtonPayload:
		b = append(b, `{"type":"payload","payload":`...)
	case pombo.ButtonCode:
		b = append(b, `{"type":"coupon_code","coupon_code":`...)
	default:
		b = append(b, `{"type":"text","text":`...)
	}
	b = appendString(b, v.Reveal())
	return append(b, `}]},`...)
}

// trimComma removes the comma after the last element of a list.
func trimComma(b []byte) []byte { return b[:len(b)-1] }

// appendCommand appends the envelope of a command.
func appendCommand(b []byte, id string, c command) []byte {
	b = append(b, `{"id":`...)
	b = appendString(b, id)
	b = append(b, `,"to":"`...)
	b = append(b, c.to...)
	b = append(b, `","method":"`...)
	b = append(b, c.method...)
	b = append(b, `","uri":`...)
	b = appendString(b, c.uri)
	if c.resource != "" {
		b = append(b, `,"type":"text/plain","resource":`...)
		b = appendString(b, c.resource)
	}
	return append(b, '}')
}

// appendString appends s as a JSON string. Like encoding/json, it replaces bytes that
// are not UTF-8 by U+FFFD. It is written by hand because nearly every value has
// accents: encoding/json would allocate for each.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			b = append(b, s[start:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, `\n`...)
			case '\r':
				b = append(b, `\r`...)
			case '\t':
				b = append(b, `\t`...)
			default:
				const hex = "0123456789abcdef"
				b = append(b, `\u00`...)
				b = append(b, hex[c>>4], hex[c&0xf])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			b = append(b, s[start:i]...)
			b = append(b, "\ufffd"...)
			i++
			start = i
			continue
		}
		i += size
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// unsendable returns the error of a message that cannot be sent as it is.
func unsendable(r pombo.Reason, detail string) *pombo.Error {
	return &pombo.Error{Reason: r, Delivery: pombo.NotSent, Detail: detail}
}
