package pombo

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestPrivate_DoesNotPrintItself(t *testing.T) {
	const planted = "Maria das Dores"
	p := Private(planted)
	row := Row{RowKey: "1", Recipient: p, Params: []Param{{Body, p}}}
	values := []any{p, &p, []Private{p}, map[string]Private{"a": p}, row, &row, Notification{Params: row.Params, Recipient: p}, Message{Params: row.Params}}
	var printed strings.Builder
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10.3s"} {
			fmt.Fprintf(&printed, verb+"\n", v)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		printed.Write(b)
		for _, h := range []slog.Handler{slog.NewTextHandler(&printed, nil), slog.NewJSONHandler(&printed, nil)} {
			slog.New(h).Info("line", "value", v, slog.Group("group", "value", v))
		}
		printed.WriteString(fmt.Errorf("with %v and %w", v, errors.New("cause")).Error())
	}
	out := printed.String()
	for _, trace := range []string{planted, "Maria", "Dores", fmt.Sprintf("%x", "Maria"), fmt.Sprintf("%X", "Maria"), "77 97 114 105 97"} {
		if strings.Contains(out, trace) {
			t.Errorf("the output has %q", trace)
		}
	}
	if !strings.Contains(out, hidden) {
		t.Error("the output has no placeholder")
	}
	if p.Reveal() != planted {
		t.Error("Reveal does not return the text")
	}
}
