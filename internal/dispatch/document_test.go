package dispatch_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/internal/document"
	"pombo/test/nightly"
)

const aPDF = "%PDF-1.7\n%%EOF\n"

// withDocument is a row whose header is a file.
func withDocument(key, phone, file string, more ...pombo.Param) pombo.Row {
	r := row(key, phone, "Maria")
	r.Params = append(r.Params, pombo.Param{Slot: "header-document-file", Value: pombo.Private(file)})
	r.Params = append(r.Params, more...)
	return r
}

// onFolder is an engine on rows with documents, and the folder that these are in.
func onFolder(t *testing.T, rows ...pombo.Row) (o options, ledger *fakeLedger, blip *fakeBlip, dir string) {
	t.Helper()
	dir = t.TempDir()
	ledger, blip = newFakeLedger(), &fakeBlip{}
	o = options{Source: newTable(rows...), Ledger: ledger, Blip: blip, Documents: document.New(document.Options{Dir: dir})}
	put(t, dir, "outro.pdf", aPDF) // an empty folder is one that is not mounted
	return o, ledger, blip, dir
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// linkOf returns the link and the name that a message carries.
func linkOf(m pombo.Message) (link, name string) {
	for _, p := range m.Params {
		switch p.Slot {
		case pombo.HeaderDocument:
			link = p.Value.Reveal()
		case pombo.HeaderFilename:
			name = p.Value.Reveal()
		}
	}
	return link, name
}

func TestDocument_SentAsLink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, ledger, blip, dir := onFolder(t,
			withDocument("1", "31988880001", "laudo.pdf"),
			withDocument("2", "31988880002", "laudo.pdf", pombo.Param{Slot: pombo.HeaderFilename, Value: "Exame de Ana.pdf"}))
		put(t, dir, "laudo.pdf", aPDF)
		runToEnd(t, startEngine(t, o))
		names := []string{}
		for _, m := range blip.sent {
			link, name := linkOf(m)
			names = append(names, name)
			if !strings.HasPrefix(link, "https://media.example/") || len(pombo.Slots(m.Params)) != 3 {
				t.Errorf("link %q, slots %v; want a link to what was uploaded, its name and the text", link, pombo.Slots(m.Params))
			}
		}
		slices.Sort(names)
		if want := []string{"Exame de Ana.pdf", "laudo.pdf"}; !slices.Equal(names, want) {
			t.Errorf("names = %q, want %q", names, want)
		}
		for _, row := range []string{"1", "2"} {
			n := mustStand(t, ledger, row, pombo.Accepted, pombo.NoReason)
			if n.Params[1].Value != "laudo.pdf" || n.Params[1].Slot != "header-document-file" {
				t.Errorf("the ledger has %v, want the path that the row has", n.Params[1].Slot)
			}
		}
	})
}

// One leaflet for many people is uploaded once, while its link is young.
func TestDocument_SameBytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newTable(withDocument("01", "31988880001", "laudo.pdf"))
		o, _, blip, dir := onFolder(t)
		o.Source, o.Workers = source, 1
		put(t, dir, "laudo.pdf", aPDF)
		e := startEngine(t, o)
		runToEnd(t, e)
		send := func(key, phone string) string {
			source.add(withDocument(key, phone, "laudo.pdf"))
			runToEnd(t, e)
			link, _ := linkOf(blip.sent[len(blip.sent)-1])
			return link
		}
		if link := send("02", "31988880002"); link != "https://media.example/1" || len(blip.uploads) != 1 {
			t.Errorf("the same bytes: link %s after %d uploads, want the first", link, len(blip.uploads))
		}
		put(t, dir, "laudo.pdf", "%PDF-1.7\nnovo\n%%EOF\n") // replaced meanwhile
		if link := send("03", "31988880003"); link != "https://media.example/2" || !strings.Contains(string(blip.uploads[1]), "novo") {
			t.Errorf("other bytes: link %s, want a second upload with them", link)
		}
		time.Sleep(11 * time.Minute)
		if link := send("04", "31988880004"); link != "https://media.example/3" {
			t.Errorf("eleven minutes later: link %s, want a new one", link)
		}
	})
}

// A document that is not there yet is waited for; one that never comes ends its row and
// no other.
func TestDocument_Missing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, ledger, blip, dir := onFolder(t,
			withDocument("1", "31988880001", "laudo.pdf"), withDocument("2", "31988880002", "nunca.pdf"), row("3", "31988880003", "Ana"))
		runToEnd(t, startEngine(t, o))
		mustStand(t, ledger, "3", pombo.Accepted, pombo.NoReason)
		for _, row := range []string{"1", "2"} {
			if n := mustStand(t, ledger, row, pombo.Queued, pombo.DocumentMissing); n.Tries != 0 || n.Attempt != 0 {
				t.Errorf("row %s: %d tries, %d attempts, want none", row, n.Tries, n.Attempt)
			}
		}
		passes(10 * time.Minute)
		put(t, dir, "laudo.pdf", aPDF)
		passes(time.Minute)
		mustStand(t, ledger, "1", pombo.Accepted, pombo.NoReason)
		passes(5 * time.Minute)
		n := mustStand(t, ledger, "2", pombo.Failed, pombo.DocumentMissing)
		if strings.Contains(n.Detail, "nunca") || n.Detail == "" {
			t.Errorf("detail = %q, want one that does not have the path", n.Detail)
		}
		if len(blip.commands) != 4 { // two look-ups, and an upload in two steps
			t.Errorf("%d commands, want 4: what cannot be sent costs none", len(blip.commands))
		}
	})
}

func TestDocument_Refused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, ledger, blip, dir := onFolder(t, withDocument("1", "31988880001", "../laudo.pdf"), withDocument("2", "31988880002", "laudo.pdf"))
		put(t, dir, "laudo.pdf", "MZ")
		runToEnd(t, startEngine(t, o))
		mustStand(t, ledger, "1", pombo.Failed, pombo.DocumentRefused)
		mustStand(t, ledger, "2", pombo.Failed, pombo.DocumentRefused)
		if len(blip.commands)+len(blip.sent) != 0 {
			t.Errorf("%d commands and %d messages, want none", len(blip.commands), len(blip.sent))
		}
	})
}

// A share that is away for a day costs no row, and keeps no other back.
func TestDocument_Away(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "share")
		ledger, blip := newFakeLedger(), &fakeBlip{}
		o := options{Ledger: ledger, Blip: blip, Documents: document.New(document.Options{Dir: dir}),
			Source: newTable(withDocument("1", "31988880001", "laudo.pdf"), row("2", "31988880002", "Ana"))}
		runToEnd(t, startEngine(t, o))
		mustStand(t, ledger, "2", pombo.Accepted, pombo.NoReason)
		passes(nightly.Or(24*time.Hour, 5*time.Hour))
		if n := mustStand(t, ledger, "1", pombo.Queued, pombo.DocumentAway); n.Tries != 0 || n.Reason.WaitReason() != pombo.WaitDocuments {
			t.Errorf("after hours: %d tries, it waits for %s; want none, for its document", n.Tries, n.Reason.WaitReason())
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		put(t, dir, "laudo.pdf", aPDF)
		passes(13 * time.Minute)
		mustStand(t, ledger, "1", pombo.Accepted, pombo.NoReason)
	})
}

// An upload that fails has sent nothing: there is never a doubt, and it is tried again.
func TestDocument_UploadFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, ledger, blip, dir := onFolder(t, withDocument("1", "31988880001", "laudo.pdf"), row("2", "31988880002", "Ana"))
		put(t, dir, "laudo.pdf", aPDF)
		fails := 0
		blip.onUpload = func() error {
			if fails++; fails <= 2 {
				return &pombo.Error{Reason: pombo.UploadFailed, Retry: true, Delivery: pombo.NotSent, Code: 503}
			}
			return nil
		}
		runToEnd(t, startEngine(t, o))
		mustStand(t, ledger, "2", pombo.Accepted, pombo.NoReason)
		if n := mustStand(t, ledger, "1", pombo.Queued, pombo.UploadFailed); n.Tries != 1 || n.Attempt != 0 {
			t.Errorf("%d tries, %d attempts; want 1 and none", n.Tries, n.Attempt)
		}
		passes(2 * time.Minute)
		mustStand(t, ledger, "1", pombo.Accepted, pombo.NoReason)
		if slices.Contains(ledger.moves(t, "1"), pombo.Uncertain) {
			t.Error("a failed upload left a doubt")
		}
		if len(blip.sent) != 2 {
			t.Errorf("%d messages, want 2", len(blip.sent))
		}
	})
}

// What waits for its permit for longer than its link lasts is uploaded again.
func TestDocument_LinkGrowsOldOnTheRoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, ledger, blip, dir := onFolder(t, withDocument("1", "31988880001", "laudo.pdf"), withDocument("2", "31988880002", "outro.pdf"))
		put(t, dir, "laudo.pdf", "%PDF-1.7\nmeu\n%%EOF\n")
		o.PollInterval = time.Second
		o.MessagesPerSecond = 1.0 / (25 * 60)
		startEngine(t, o)
		passes(26 * time.Minute)
		mustStand(t, ledger, "1", pombo.Accepted, pombo.NoReason)
		mustStand(t, ledger, "2", pombo.Accepted, pombo.NoReason)
		if link, _ := linkOf(blip.sent[len(blip.sent)-1]); len(blip.sent) != 2 || len(blip.uploads) != 3 || link != "https://media.example/3" {
			t.Errorf("%d messages, %d uploads, the last link %s; want the second document uploaded again", len(blip.sent), len(blip.uploads), link)
		}
	})
}

// The same for what Blip was out of reach for.
func TestDocument_LinkGrowsOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, ledger, blip, dir := onFolder(t, withDocument("1", "31988880001", "laudo.pdf"))
		put(t, dir, "laudo.pdf", aPDF)
		slow := true
		blip.onSend = func(ctx context.Context, m pombo.Message, _ int) error {
			link, _ := linkOf(m)
			if slow != (link == "https://media.example/1") {
				t.Errorf("sent with %s", link)
			}
			if slow {
				slow = false
				return &pombo.Error{Reason: pombo.BlipUnreachable, Retry: true, Delivery: pombo.NotSent, Pause: 40 * time.Minute}
			}
			return nil
		}
		runToEnd(t, startEngine(t, o))
		passes(41 * time.Minute)
		mustStand(t, ledger, "1", pombo.Accepted, pombo.NoReason)
		if len(blip.uploads) != 2 {
			t.Errorf("%d uploads, want 2", len(blip.uploads))
		}
	})
}

// A process that dies between the upload and the message has sent nothing. The next one
// reads the file as it is then.
func TestDocument_DiesAfterUpload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, ledger, blip, dir := onFolder(t, withDocument("1", "31988880001", "laudo.pdf"))
		put(t, dir, "laudo.pdf", aPDF)
		ledger.breakMethod("Begin", errors.New("the process is gone"))
		e, err := newEngine(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		runToEnd(t, e)
		stop, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := e.Stop(stop); err != nil {
			t.Fatal(err)
		}
		if len(blip.uploads) == 0 || len(blip.sent) != 0 {
			t.Fatalf("%d uploads and %d messages, want an upload alone", len(blip.uploads), len(blip.sent))
		}
		ledger.breakMethod("Begin", nil)
		put(t, dir, "laudo.pdf", "%PDF-1.7\nnovo\n%%EOF\n")
		o.Owner = "another"
		startEngine(t, o)
		passes(time.Minute)
		mustStand(t, ledger, "1", pombo.Accepted, pombo.NoReason)
		if last := blip.uploads[len(blip.uploads)-1]; len(blip.sent) != 1 || !strings.Contains(string(last), "novo") {
			t.Errorf("%d messages, the last upload is %q; want one message with the new file", len(blip.sent), last)
		}
	})
}

// The language of the row decides which template it is compared with, and goes along.
func TestLanguage_OfTheRow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in := func(key, phone, language string) pombo.Row {
			r := row(key, phone, "Maria")
			r.Language = language
			return r
		}
		ledger, blip := newFakeLedger(), &fakeBlip{}
		english := pombo.Template{Name: "um", Language: "en_US", Status: "APPROVED", Body: "Hello {{1}}"}
		blip.offer(templateOf("um", "APPROVED", "Olá {{1}}"), english)
		o := onTable(newTable(in("1", "31988880001", ""), in("2", "31988880002", "en_US"), in("3", "31988880003", "es")), ledger, blip)
		runToEnd(t, startEngine(t, o))
		mustStand(t, ledger, "1", pombo.Accepted, pombo.NoReason)
		mustStand(t, ledger, "2", pombo.Accepted, pombo.NoReason)
		mustStand(t, ledger, "3", pombo.Queued, pombo.TemplateMissing)
		var sent []string
		for _, m := range blip.sent {
			sent = append(sent, m.Language)
		}
		slices.Sort(sent)
		if want := []string{"", "en_US"}; !slices.Equal(sent, want) {
			t.Errorf("languages = %q, want %q", sent, want)
		}
		spanish := english
		spanish.Language, spanish.Body = "es", "Hola {{1}}"
		blip.offer(templateOf("um", "APPROVED", "Olá {{1}}"), english, spanish)
		passes(3 * time.Minute)
		mustStand(t, ledger, "3", pombo.Accepted, pombo.NoReason)
	})
}
