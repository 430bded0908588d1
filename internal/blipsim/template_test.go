package blipsim

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestTemplate_ChecksParameters(t *testing.T) {
	const (
		body   = `{"type":"body","parameters":[{"type":"text","text":"Maria"},{"type":"text","text":"#1"}]}`
		image  = `{"type":"header","parameters":[{"type":"image","image":{"link":"https://cdn.example.com/a.png"}}]}`
		reply  = `{"type":"button","sub_type":"quick_reply","index":0,"parameters":[{"type":"payload","payload":"x"}]}`
		button = `{"type":"button","sub_type":"url","index":"1","parameters":[{"type":"text","text":"x"}]}`
	)
	text := func(s string) string {
		return fmt.Sprintf(`{"type":"body","parameters":[{"type":"text","text":%q},{"type":"text","text":"x"}]}`, s)
	}
	for _, c := range []struct {
		template, language string
		components         []string
		want               int
	}{
		{"order_shipped", "pt_BR", []string{body}, 0},
		{"order_shipped", "pt_BR", []string{text("    ")}, 0},
		{"order_shipped", "pt_BR", []string{text(strings.Repeat("é", 1024))}, 0},
		{"order_shipped", "pt_BR", nil, 132000},
		{"order_shipped", "pt_BR", []string{`{"type":"body","parameters":[{"type":"text","text":"Maria"}]}`}, 132000},
		{"order_shipped", "pt_BR", []string{body, body}, 132000},
		{"order_shipped", "pt_BR", []string{body, `{"type":"header","parameters":[{"type":"text","text":"x"}]}`}, 132000},
		{"order_shipped", "pt_BR", []string{body, button}, 132012},
		{"order_shipped", "pt_BR", []string{text("")}, 131008},
		{"order_shipped", "pt_BR", []string{text("a\nb")}, 132012},
		{"order_shipped", "pt_BR", []string{text("a\tb")}, 132012},
		{"order_shipped", "pt_BR", []string{text("a     b")}, 132012},
		{"order_shipped", "pt_BR", []string{text(strings.Repeat("é", 1025))}, 132005},
		{"order_shipped", "pt_BR", []string{`{"type":"body","parameters":[{"type":"text","text":"a"},{"type":"payload","payload":"b"}]}`}, 132012},
		{"order_shipped", "en_US", []string{body}, 132001},
		{"nope", "pt_BR", []string{body}, 132001},
		{"order_late", "pt_BR", []string{body}, 132015},
		{"order_lost", "pt_BR", []string{body}, 132016},
		{"welcome", "pt_BR", nil, 132001},
		{"aviso", "pt_BR", nil, 0},
		{"aviso", "pt_BR", []string{body}, 132000},
		{"order_shipped_image", "pt_BR", []string{image, body, reply, button}, 0},
		{"order_shipped_image", "pt_BR", []string{image, body, button}, 0}, // a payload is optional
		{"order_shipped_image", "pt_BR", []string{image, body, reply}, 132000},
		{"order_shipped_image", "pt_BR", []string{body, button}, 132000},
		{"order_shipped_image", "pt_BR", []string{strings.ReplaceAll(image, "image", "video"), body, button}, 132012},
		{"order_shipped_image", "pt_BR", []string{strings.Replace(image, "https://cdn.example.com/a.png", "", 1), body, button}, 131008},
		{"order_shipped_image", "pt_BR", []string{image, body, strings.Replace(button, `"1"`, `1`, 1)}, 0},
		{"order_shipped_image", "pt_BR", []string{image, body, strings.Replace(button, `"1"`, `"0"`, 1)}, 132012},
		{"order_shipped_image", "pt_BR", []string{image, body, strings.Replace(button, `"1"`, `"-1"`, 1)}, 132012},
		{"order_shipped_image", "pt_BR", []string{image, body, strings.Replace(button, `"1"`, `{}`, 1)}, 132012},
	} {
		s, clock := newServer(t, Options{ReadRate: -1})
		message := fmt.Sprintf(`{"id":"1","to":%q,"type":"application/json","content":{"type":"template","template":{"name":%q,"language":{"code":%q},"components":[%s]}}}`,
			maria, c.template, c.language, strings.Join(c.components, ","))
		if got := status(t, s, "/messages", message); got != 202 {
			t.Errorf("%s: status = %d, want 202", message, got)
		}
		clock.pass(time.Minute)
		want := "accepted, dispatched, received"
		if c.want != 0 {
			want = fmt.Sprintf("accepted, failed %d", c.want)
		}
		if got := events(s, "1"); got != want {
			t.Errorf("%s: events = %s, want %s", message, got, want)
		}
	}
}

func TestVariables(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "Olá": 0, "{1}": 0, "{{1}}": 1, "{{1}} {{2}} {{1}}": 2, "{{ 1 }}": 1, "{{customer}} {{1}}": 2, "{{": 0,
	} {
		if got := variables(text); got != want {
			t.Errorf("variables(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestRender(t *testing.T) {
	tm := Template{Header: "TEXT", HeaderText: "Pedido {{1}}", Body: "Olá {{1}}, {{2}}! {{1}}? {{3}}", Footer: "Loja"}
	got := tm.render([]Param{{"header", "7"}, {"body", "{{2}}"}, {"body", "x"}, {"button0", "y"}})
	if want := "Pedido 7\nOlá {{2}}, x! {{2}}? {{3}}\nLoja"; got != want {
		t.Errorf("render = %q, want %q", got, want)
	}
}
