package pombo

import "testing"

func TestSlot_Upload(t *testing.T) {
	for s, want := range map[string]struct {
		header Slot
		store  Store
	}{
		"header-document-file": {HeaderDocument, StoreFile}, "header-image-file": {HeaderImage, StoreFile}, "Header-Video-File": {HeaderVideo, StoreFile},
		"header-document-blob": {HeaderDocument, StoreBlob}, "header-image-blob": {HeaderImage, StoreBlob}, "header-video-blob": {HeaderVideo, StoreBlob},
	} {
		p, err := ParseSlot(s)
		if header, store, ok := p.Upload(); err != nil || !ok || header != want.header || store != want.store {
			t.Errorf("ParseSlot(%q) = %q, %v; uploads %q from %q, want %v", s, p, err, header, store, want)
		}
	}
	for _, s := range []string{"header-file", "body-file", "header-filename-file", "header-document-files", "button0-file", "-file"} {
		if p, err := ParseSlot(s); err == nil {
			t.Errorf("ParseSlot(%q) = %q, want an error", s, p)
		}
	}
	for _, p := range []Slot{Body, HeaderDocument, HeaderFilename, "button0"} {
		if _, _, ok := p.Upload(); ok {
			t.Errorf("%s uploads something", p)
		}
	}
}

// A template takes a document wherever it comes from, and one of them.
func TestTemplate_TakesUploads(t *testing.T) {
	report := Template{Name: "laudo", Language: "pt_BR", Status: "APPROVED", Header: "DOCUMENT", Body: "{{1}}"}
	for _, slots := range [][]Slot{{Body, HeaderDocument}, {Body, "header-document-file", HeaderFilename}, {"header-document-blob", Body}} {
		if issues := report.Check("pt_BR", slots); len(issues) > 0 {
			t.Errorf("%v: %v", slots, issues)
		}
	}
	for _, slots := range [][]Slot{{Body}, {Body, "header-image-file"}, {Body, HeaderDocument, "header-document-file"}, {Body, HeaderFilename}} {
		if issues := report.Check("pt_BR", slots); len(issues) == 0 || issues[0].Reason != TemplateMismatch {
			t.Errorf("%v: %v, want a mismatch", slots, issues)
		}
	}
}

func TestCheckParam(t *testing.T) {
	if r, _ := CheckParam(Param{Slot: "header-document-blob"}); r != NoReason {
		t.Errorf("a BLOB, which has no value, = %s", r)
	}
	for _, p := range []Param{{Slot: "header-document-file"}, {Slot: Body}} {
		if r, _ := CheckParam(p); r != ParameterEmpty {
			t.Errorf("an empty %s = %s, want %s", p.Slot, r, ParameterEmpty)
		}
	}
}

func TestParseLanguage(t *testing.T) {
	for s, want := range map[string]string{"pt_BR": "pt_BR", " pt-br ": "pt_BR", "PT": "pt", "es": "es", "en_us": "en_US", "fil": "fil", "zh_HK": "zh_HK"} {
		if got, ok := ParseLanguage(s); !ok || got != want {
			t.Errorf("ParseLanguage(%q) = %q, %t; want %q", s, got, ok, want)
		}
	}
	for _, s := range []string{"", "português", "p", "pt_", "pt_B", "_BR", "pt_BR_x", "31988880000", "pt BR", "pt_Br1"} {
		if got, ok := ParseLanguage(s); ok {
			t.Errorf("ParseLanguage(%q) = %q, want none", s, got)
		}
	}
}

// Which reasons lead to another channel is listed here once more, so that a new one is a
// decision.
func TestReason_FallsBack(t *testing.T) {
	never := map[Reason]bool{OptedOut: true, OptedOutOfMarketing: true}
	for _, r := range Reasons() {
		switch r.Class() {
		case ClassRow, ClassOperator:
			never[r] = true
		case ClassPombo:
			never[r] = r != TriesExhausted
		}
	}
	for _, r := range Reasons() {
		if r.FallsBack() == never[r] {
			t.Errorf("%s falls back: %t", r, r.FallsBack())
		}
	}
	if NoReason.FallsBack() || Reason("no such word").FallsBack() {
		t.Error("what is no reason falls back")
	}
}
