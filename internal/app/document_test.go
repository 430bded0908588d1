package app_test

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pombo"
	"pombo/internal/blipsim"
	"pombo/test/nightly"
)

const aPDF = "%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n"

// reports are templates whose header is a document, in two languages.
func reports() []blipsim.Template {
	return []blipsim.Template{
		{Name: "notificacao", Header: "DOCUMENT", Body: "{{1}}, seu exame."},
		{Name: "notificacao", Language: "en_US", Header: "DOCUMENT", Body: "{{1}}, your exam."},
	}
}

// sentBy returns what the pretend Blip took for a phone.
func (w *fixture) sentTo(phone string) (m blipsim.Message) {
	w.t.Helper()
	for _, one := range w.blip.Taken() {
		if one.To == phone+"@wa.gw.msging.net" {
			m = one
		}
	}
	return m
}

// becomes waits until a query counts so many rows.
func (w *fixture) becomes(query string, want int) {
	w.t.Helper()
	w.eventually(func() bool { return w.count(query) == want })
}

// A file below DOCUMENTS_DIR reaches the person with its name and in the row's language;
// who cannot be reached is handed over.
func TestDocuments_FromAFolder(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel() // it waits most of the time
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "2026"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "2026", "laudo.pdf"), []byte(aPDF), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newFixture(t, 0, blipsim.Options{Templates: reports(), Scripts: blipsim.DefaultScripts(), ReadRate: -1},
		"DB_COL_PARAMS=NM_CONTATO,header-document-file:DS_MENSAGEM,header-filename:NM_LAUDO", "DB_COL_LANGUAGE=CD_IDIOMA", "DOCUMENTS_DIR="+dir,
		"STATUS_FAILED=3", "STATUS_DELIVERED=4", "STATUS_FALLBACK=8", "POLL_INTERVAL=1s", "UNCERTAIN_WAIT=20s")
	w.exec(`ALTER TABLE NOTIFICACAO ADD COLUMN CD_IDIOMA TEXT`)
	w.exec(`ALTER TABLE NOTIFICACAO ADD COLUMN NM_LAUDO TEXT`)
	w.exec(`DELETE FROM NOTIFICACAO`)
	w.exec(`INSERT INTO NOTIFICACAO VALUES (1, '31980001001', 'Maria', '2026\laudo.pdf', 1, NULL, 'Exame de Maria.pdf'), (2, '31980001002', 'Mary', '2026/laudo.pdf', 1, 'en_US', 'Exam of Mary.pdf'),
		(3, '31980000006', 'Ana', '2026/laudo.pdf', 1, NULL, 'Exame de Ana.pdf'), (4, '31980001004', 'José', '../laudo.pdf', 1, NULL, 'Exame.pdf')`)
	_, client := w.start()
	w.becomes(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 4 AND ID IN (1, 2)`, 2)
	w.becomes(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 8 AND ID = 3`, 1)
	w.becomes(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 3 AND ID = 4`, 1)
	if list, err := client.List(t.Context(), pombo.Filter{HandedOver: true}); err != nil || len(list.Notifications) != 1 || list.Notifications[0].Row != "3" {
		t.Errorf("listed as handed over: %+v, %v; want row 3", list, err)
	}
	if _, err := client.List(t.Context(), pombo.Filter{HandedOver: true, Text: "3"}); err == nil || !strings.Contains(err.Error(), "handed_over") {
		t.Errorf("handed over and a text: %v, want that they do not go together", err)
	}
	for phone, want := range map[string]struct{ name, language string }{
		"553180001001": {"Exame de Maria.pdf", "pt_BR"}, "553180001002": {"Exam of Mary.pdf", "en_US"},
	} {
		m := w.sentTo(phone)
		got := map[string]string{}
		for _, p := range m.Params {
			got[p.Slot] = p.Value
		}
		if got["header-filename"] != want.name || m.Language != want.language || got["header-document"] != w.blip.Uploads()[0].Link {
			t.Errorf("%s got %+v, want the link, %q and %s", phone, m, want.name, want.language)
		}
	}
	if got := w.blip.Uploads(); len(got) != 1 || got[0].SHA256 != sha256.Sum256([]byte(aPDF)) || got[0].Type != "application/pdf" {
		t.Errorf("uploads = %+v, want one of the file", got)
	}
}

// A BLOB of the row; and an upload that is refused at first.
func TestDocuments_FromTheTable(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel() // it waits most of the time
	w := newFixture(t, 0, blipsim.Options{Templates: reports(), Faults: blipsim.Faults{UploadsFail: 1}},
		"DB_COL_PARAMS=NM_CONTATO,header-document-blob:BL_LAUDO", "POLL_INTERVAL=1s", "UNCERTAIN_WAIT=20s")
	w.exec(`ALTER TABLE NOTIFICACAO ADD COLUMN BL_LAUDO BLOB`)
	w.exec(`DELETE FROM NOTIFICACAO`)
	w.exec(`INSERT INTO NOTIFICACAO VALUES (1, '31980001001', 'Maria', '', 1, ?)`, []byte(aPDF))
	w.start()
	w.becomes(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 2`, 1)
	m, uploads := w.sentTo("553180001001"), w.blip.Uploads()
	if len(uploads) != 1 || string(uploads[0].Bytes) != aPDF || len(m.Params) != 3 || m.Params[1].Value != "documento.pdf" {
		t.Errorf("uploads %+v, message %+v; want the bytes of the row, as documento.pdf", uploads, m)
	}
}
