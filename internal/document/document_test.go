package document

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
)

const (
	docFile   pombo.Slot = "header-document-file"
	docBlob   pombo.Slot = "header-document-blob"
	imageFile pombo.Slot = "header-image-file"
	videoFile pombo.Slot = "header-video-file"
)

const somePDF = "%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n"

func newDir(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func open(t *testing.T, dir string, slot pombo.Slot, value, shown string) (*Document, error) {
	t.Helper()
	d, err := New(Options{Dir: dir}).Open(t.Context(), "7", pombo.Param{Slot: slot, Value: pombo.Private(value)}, shown)
	t.Cleanup(d.Close)
	return d, err
}

// wantError checks what an error means, and that it repeats nothing of the path.
func wantError(t *testing.T, err error, whose Whose, reason pombo.Reason) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Whose != whose || e.Reason != reason || e.Detail == "" {
		t.Errorf("error = %#v, want one with %d, %s and a detail", err, whose, reason)
	}
	if err != nil && strings.Contains(strings.ToLower(err.Error()), "zenobia") {
		t.Errorf("the error repeats the path: %v", err)
	}
}

func office(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	if _, err := w.Create("[Content_Types].xml"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestOpen_Files(t *testing.T) {
	t.Parallel()
	film := "\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2"
	dir := newDir(t, map[string]string{
		"laudo.pdf": somePDF, "2026/11/laudo 7.PDF": somePDF, "ata.docx": office(t), "velho.doc": "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 etc.", "nota.txt": "Olá, João\r\n",
		"foto.jpg": "\xff\xd8\xff\xe0 etc. \xff\xd9", "foto.png": "\x89PNG\r\n\x1a\n etc. IEND\xaeB\x60\x82", "filme.mp4": film, "exame": somePDF,
	})
	for _, c := range []struct {
		slot               pombo.Slot
		value, shown       string
		wantName, wantType string
	}{
		{docFile, "laudo.pdf", "", "laudo.pdf", "application/pdf"},
		{docFile, ` 2026\11\laudo 7.PDF `, "", "laudo 7.PDF", "application/pdf"},
		{docFile, "laudo.pdf", "Exame de Maria.pdf", "Exame de Maria.pdf", "application/pdf"},
		{docFile, "laudo.pdf", "Exame de Maria", "Exame de Maria.pdf", "application/pdf"},
		{docFile, "exame", "", "exame.pdf", "application/pdf"},
		{docFile, "ata.docx", "", "ata.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		{docFile, "ata.docx", "ata.xlsx", "ata.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
		{docFile, "velho.doc", "", "velho.doc", "application/msword"},
		{docFile, "nota.txt", "", "nota.txt", "text/plain"},
		{imageFile, "foto.jpg", "", "foto.jpg", "image/jpeg"},
		{imageFile, "foto.png", "", "foto.png", "image/png"},
		{videoFile, "filme.mp4", "", "filme.mp4", "video/mp4"},
	} {
		d, err := open(t, dir, c.slot, c.value, c.shown)
		if err != nil {
			t.Errorf("%s %q: %v", c.slot, c.value, err)
			continue
		}
		if d.Name != c.wantName || d.Type != c.wantType || len(d.Bytes) == 0 {
			t.Errorf("%s %q: %q, %q, %d bytes; want %q, %q", c.slot, c.value, d.Name, d.Type, len(d.Bytes), c.wantName, c.wantType)
		}
	}
}

func TestOpen_RefusesContent(t *testing.T) {
	t.Parallel()
	dir := newDir(t, map[string]string{
		"zenobia.pdf": "MZ\x90\x00", "zenobia.exe": "MZ\x90\x00", "foto.heic": "\x00\x00\x00\x18ftypheic", "foto.jpg": "\x89PNG\r\n\x1a\n etc. IEND",
		"laudo.pdf": somePDF, "semnome": "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "quase.pdf": "%PDF-1.7\n1 0 obj\n", "vazio.pdf": "",
		"grande.jpg": "\xff\xd8\xff" + strings.Repeat("\xff\xd9", 3e6),
	})
	for _, c := range []struct {
		slot   pombo.Slot
		value  string
		whose  Whose
		reason pombo.Reason
	}{
		{docFile, "zenobia.pdf", OfRow, pombo.DocumentRefused},
		{docFile, "zenobia.exe", OfRow, pombo.DocumentRefused},
		{docFile, "foto.jpg", OfRow, pombo.DocumentRefused},
		{docFile, "semnome", OfRow, pombo.DocumentRefused},
		{imageFile, "foto.heic", OfRow, pombo.DocumentRefused},
		{imageFile, "foto.jpg", OfRow, pombo.DocumentRefused},
		{imageFile, "laudo.pdf", OfRow, pombo.DocumentRefused},
		{imageFile, "grande.jpg", OfRow, pombo.DocumentTooLarge},
		{docFile, "quase.pdf", MayCome, pombo.DocumentRefused},
		{docFile, "vazio.pdf", MayCome, pombo.DocumentMissing},
		{docFile, "outro-zenobia.pdf", MayCome, pombo.DocumentMissing},
		{docFile, "laudo.pdf/zenobia.pdf", MayCome, pombo.DocumentMissing},
		{docFile, "", MayCome, pombo.DocumentMissing},
	} {
		_, err := open(t, dir, c.slot, c.value, "")
		t.Log(c.slot, c.value, err)
		wantError(t, err, c.whose, c.reason)
	}
}

// No path leads out of the folder, or to anything that is not a plain file in it.
func TestOpen_RefusesPaths(t *testing.T) {
	t.Parallel()
	outside := newDir(t, map[string]string{"zenobia.pdf": somePDF})
	dir := newDir(t, map[string]string{"laudo.pdf": somePDF, "sub/laudo.pdf": somePDF})
	for _, path := range []string{
		"../" + filepath.Base(outside) + "/zenobia.pdf", "sub/../../zenobia.pdf", "sub/../laudo.pdf", "..", "/etc/passwd", filepath.Join(outside, "zenobia.pdf"),
		`C:\zenobia.pdf`, `C:zenobia.pdf`, `\\server\share\zenobia.pdf`, `\\?\C:\zenobia.pdf`, `\\.\PhysicalDrive0`, "//server/zenobia.pdf", "file:///etc/passwd",
		"laudo.pdf:zenobia", "laudo.pdf::$DATA", "./laudo.pdf", "sub//laudo.pdf", "sub/", "laudo.pdf.", "laudo.pdf /x", " /laudo.pdf", "sub/ laudo.pdf",
		"NUL", "nul.pdf", "con", "sub/COM1.pdf", "lpt9", "COM¹", "CONIN$", "aux .pdf", "laudo\x00.pdf", "laudo\n.pdf", "la?do.pdf", "*.pdf", "\xff.pdf", strings.Repeat("a", 2000),
	} {
		_, err := open(t, dir, docFile, path, "")
		wantError(t, err, OfRow, pombo.DocumentRefused)
	}
	_, err := open(t, dir, docFile, "sub", "")
	wantError(t, err, OfRow, pombo.DocumentRefused) // a folder
}

func TestOpen_FollowsNoLink(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("making a link takes a right that tests do not have")
	}
	outside := newDir(t, map[string]string{"zenobia.pdf": somePDF})
	dir := newDir(t, map[string]string{"laudo.pdf": somePDF})
	for link, to := range map[string]string{"fora.pdf": filepath.Join(outside, "zenobia.pdf"), "pasta": outside, "dentro.pdf": "laudo.pdf", "nada.pdf": "nada"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"fora.pdf", "pasta/zenobia.pdf", "dentro.pdf", "nada.pdf"} {
		_, err := open(t, dir, docFile, path, "")
		wantError(t, err, OfRow, pombo.DocumentRefused)
	}
	through := filepath.Join(t.TempDir(), "share")
	if err := os.Symlink(dir, through); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, through, docFile, "laudo.pdf", ""); err != nil {
		t.Errorf("the folder itself may be a link: %v", err)
	}
}

// A share that is away burns no row.
func TestOpen_Away(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{"not set": "", "not there": filepath.Join(t.TempDir(), "share"), "not mounted": t.TempDir()} {
		l := New(Options{Dir: dir})
		_, err := l.Open(t.Context(), "7", pombo.Param{Slot: docFile, Value: "laudo.pdf"}, "")
		t.Log(name, err)
		wantError(t, err, Away, pombo.DocumentAway)
		if (dir == "") != l.away.IsZero() {
			t.Errorf("%s: away since %s", name, l.away)
		}
	}
	if os.Getuid() <= 0 {
		return // everything may be read
	}
	dir := newDir(t, map[string]string{"laudo.pdf": somePDF})
	if err := os.Chmod(filepath.Join(dir, "laudo.pdf"), 0); err != nil {
		t.Fatal(err)
	}
	_, err := open(t, dir, docFile, "laudo.pdf", "")
	wantError(t, err, Away, pombo.DocumentAway)
}

// What hangs costs each look its time once; then all files are away at once.
func TestWithin_Hangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{Dir: "share"})
		release := make(chan struct{})
		var dropped atomic.Int64
		for range looks {
			go func() {
				_, begun, err := within(t.Context(), l, lookTime, func() (int, error) { <-release; return 1, nil }, func(int) { dropped.Add(1) })
				if !begun {
					t.Error("not begun")
				}
				wantError(t, err, Away, pombo.DocumentAway)
			}()
		}
		synctest.Wait()
		begun := time.Now()
		_, ran, err := within(t.Context(), l, lookTime, func() (int, error) { return 1, nil }, func(int) {})
		if ran || time.Since(begun) != lookTime {
			t.Errorf("with every look hanging: ran = %t after %s, want an end after %s", ran, time.Since(begun), lookTime)
		}
		wantError(t, err, Away, pombo.DocumentAway)
		begun = time.Now()
		_, err = l.Open(t.Context(), "7", pombo.Param{Slot: docFile, Value: "laudo.pdf"}, "")
		wantError(t, err, Away, pombo.DocumentAway)
		if time.Since(begun) != 0 {
			t.Errorf("a share that hangs was asked again for %s", time.Since(begun))
		}
		close(release)
		synctest.Wait()
		if n := dropped.Load(); n != looks {
			t.Errorf("%d of %d late answers were dropped", n, looks)
		}
		time.Sleep(awayFor)
		if _, ran, err := within(t.Context(), l, lookTime, func() (int, error) { return 1, nil }, func(int) {}); !ran || err != nil || l.AwayFor() != 0 {
			t.Errorf("when it is back: ran = %t, %v, away for %s", ran, err, l.AwayFor())
		}
	})
}

// fakeSource is a table with one BLOB.
type fakeSource struct {
	bytes []byte
	size  int64
	err   error
}

func (s *fakeSource) BlobSize(context.Context, string, pombo.Slot) (int64, error) {
	return s.size, s.err
}
func (s *fakeSource) Blob(context.Context, string, pombo.Slot) ([]byte, error) { return s.bytes, s.err }

func TestOpen_Blob(t *testing.T) {
	t.Parallel()
	read := func(s *fakeSource, shown string) (*Document, error) {
		return New(Options{Source: s}).Open(t.Context(), "7", pombo.Param{Slot: docBlob}, shown)
	}
	size := int64(len(somePDF))
	d, err := read(&fakeSource{bytes: []byte(somePDF), size: size}, "")
	if err != nil || d.Name != "documento.pdf" || string(d.Bytes) != somePDF {
		t.Errorf("document = %+v, %v", d, err)
	}
	d.Close()
	d.Close()
	if d, err = read(&fakeSource{bytes: []byte(somePDF), size: size}, "Exame"); err != nil || d.Name != "Exame.pdf" {
		t.Errorf("document = %+v, %v; want Exame.pdf", d, err)
	}
	_, err = read(&fakeSource{}, "")
	wantError(t, err, MayCome, pombo.DocumentMissing)
	_, err = read(&fakeSource{size: 100e6 + 1}, "")
	wantError(t, err, OfRow, pombo.DocumentTooLarge)
	_, err = read(&fakeSource{bytes: []byte(somePDF), size: 3}, "")
	wantError(t, err, Changing, pombo.DocumentMissing)
	_, err = read(&fakeSource{err: pombo.ErrNotFound}, "")
	wantError(t, err, Gone, pombo.Withdrawn)
	_, err = read(&fakeSource{err: errors.New("no answer")}, "")
	wantError(t, err, Away, pombo.DocumentAway)
	if _, err := New(Options{}).Open(t.Context(), "", pombo.Param{Slot: docBlob}, ""); err == nil {
		t.Error("a BLOB without a table: no error")
	}
}

// The memory of all documents that are open is bounded, and given back.
func TestOpen_Memory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		big := bytes.Repeat([]byte("%PDF-%%EOF"), 70e6/10)
		l := New(Options{Source: &fakeSource{bytes: big, size: int64(len(big))}})
		one, err := l.Open(t.Context(), "1", pombo.Param{Slot: docBlob}, "")
		if err != nil {
			t.Fatal(err)
		}
		opened := make(chan *Document)
		go func() {
			two, err := l.Open(t.Context(), "2", pombo.Param{Slot: docBlob}, "")
			if err != nil {
				t.Error(err)
			}
			opened <- two
		}()
		synctest.Wait()
		select {
		case <-opened:
			t.Fatal("two documents of 70 MB are open at once")
		default:
		}
		one.Close()
		two := <-opened
		two.Close()
		if !l.memory.TryAcquire(memory) {
			t.Error("memory was not given back")
		}
	})
}
