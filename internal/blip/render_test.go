package blip

import (
	"encoding/json"
	"net/http"
	"testing"
	"unicode/utf8"

	"pombo"
)

func TestAppendMessage(t *testing.T) {
	const (
		start = `{"id":"0f8fad5b-d9cb-469f-a165-70867728950e","to":"553100000001@wa.gw.msging.net","type":"application/json","content":{"type":"template","template":{`
		pt    = `"language":{"code":"pt_BR","policy":"deterministic"}`
		end   = `}}}`
	)
	tests := []struct {
		name   string
		change func(*Options)
		params []pombo.Param
		want   string
	}{
		{"no parameters, no components", nil, nil,
			start + `"namespace":"00000000_0000_0000_0000_000000000000","name":"order_shipped",` + pt + end},
		{"no namespace", func(o *Options) { o.Namespace = "" }, nil,
			start + `"name":"order_shipped",` + pt + end},
		{"another language", func(o *Options) { o.Namespace, o.Language = "", "en_US" }, nil,
			start + `"name":"order_shipped","language":{"code":"en_US","policy":"deterministic"}` + end},
		{"text in the header", func(o *Options) { o.Namespace = "" }, []pombo.Param{{Slot: pombo.HeaderText, Value: "Pedido 1234"}},
			start + `"name":"order_shipped",` + pt + `,"components":[{"type":"header","parameters":[{"type":"text","text":"Pedido 1234"}]}]` + end},
		{"film and document", func(o *Options) { o.Namespace = "" },
			[]pombo.Param{{Slot: pombo.HeaderVideo, Value: "https://a/v.mp4"}, {Slot: pombo.HeaderDocument, Value: "https://a/f.pdf"}},
			start + `"name":"order_shipped",` + pt + `,"components":[{"type":"header","parameters":[{"type":"video","video":{"link":"https://a/v.mp4"}},{"type":"document","document":{"link":"https://a/f.pdf","filename":"f.pdf"}}]}]` + end},
		{"a document with a name of its own", func(o *Options) { o.Namespace = "" },
			[]pombo.Param{{Slot: pombo.HeaderFilename, Value: "Laudo.pdf"}, {Slot: pombo.HeaderDocument, Value: "https://a/f?id=1"}},
			start + `"name":"order_shipped",` + pt + `,"components":[{"type":"header","parameters":[{"type":"document","document":{"link":"https://a/f?id=1","filename":"Laudo.pdf"}}]}]` + end},
		{"the last button", func(o *Options) { o.Namespace = "" }, []pombo.Param{{Slot: "button9", Value: "x"}},
			start + `"name":"order_shipped",` + pt + `,"components":[{"type":"button","sub_type":"url","index":"9","parameters":[{"type":"text","text":"x"}]}]` + end},
		{"signs that JSON escapes", func(o *Options) { o.Namespace = "" }, body("\"\\\n\r\t\x01\x1f é ☃ 😀 \xff </script> \u2028"),
			start + `"name":"order_shipped",` + pt + `,"components":[{"type":"body","parameters":[{"type":"text","text":"\"\\\n\r\t\u0001\u001f é ☃ 😀 ` + "\ufffd" + ` </script> ` + "\u2028" + `"}]}]` + end},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := answering(t, http.StatusAccepted, nil)
			c := newClient(t, s.URL, func(o *Options) {
				if tt.change != nil {
					tt.change(o)
				}
			})
			m := message()
			m.Params = tt.params
			if err := c.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			got := string(s.got()[0].body)
			if got != tt.want {
				t.Errorf("message\n got %s\nwant %s", got, tt.want)
			}
			if !json.Valid([]byte(got)) {
				t.Error("message is not JSON")
			}
		})
	}
}

// WhatsApp shows a document without a filename as "Untitled".
func TestNameIn(t *testing.T) {
	for link, want := range map[string]string{
		"https://a.example/laudos/4711.pdf":            "4711.pdf",
		"https://a.example/Laudo%20de%20Maria.PDF?x=1": "Laudo de Maria.PDF",
		"https://a.example/download?file=a.pdf":        "documento",
		"https://a.example/":                           "documento",
		"https://a.example/.pdf":                       "documento",
		"%zz":                                          "documento",
	} {
		if got := nameIn(link); got != want {
			t.Errorf("%s: name = %q, want %q", link, got, want)
		}
	}
}

// FuzzAppendString compares the encoder with encoding/json.
func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "Maria", "\"\\\n\x00\x7f", "é\xff\xc3", "\u2028 \ufffd", `</a>&`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		text := appendString(nil, s)
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%q became %s: %v", s, text, err)
		}
		plain, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var want string
		if err := json.Unmarshal(plain, &want); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%q reads back as %q, want %q", s, got, want)
		}
		if !utf8.Valid(text) {
			t.Errorf("%q became %q, which is not UTF-8", s, text)
		}
	})
}
