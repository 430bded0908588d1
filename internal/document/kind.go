package document

import (
	"bytes"
	"path"
	"strings"
	"unicode/utf8"

	"pombo"
)

// limits are WhatsApp's, in bytes; megabytes are the small ones, to be on the safe side.
var limits = map[pombo.Slot]int64{pombo.HeaderDocument: 100e6, pombo.HeaderImage: 5e6, pombo.HeaderVideo: 16e6}

// content is what bytes look like.
type content string

// The contents that matter here.
const (
	pdf     content = "a PDF"
	jpeg    content = "a JPEG"
	png     content = "a PNG"
	mp4     content = "an MP4"
	film3gp content = "a 3GP"
	zipped  content = "a file of Office"      // from 2007 on: a ZIP
	ole     content = "an old file of Office" // before
	text    content = "plain text"
	unknown content = "none of these"
)

// kinds are what WhatsApp takes in a header, by the ending of the name.
var kinds = []struct {
	slot    pombo.Slot
	ending  string
	content content
	mime    string
}{
	{pombo.HeaderDocument, ".pdf", pdf, "application/pdf"},
	{pombo.HeaderDocument, ".docx", zipped, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
	{pombo.HeaderDocument, ".xlsx", zipped, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
	{pombo.HeaderDocument, ".pptx", zipped, "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
	{pombo.HeaderDocument, ".doc", ole, "application/msword"},
	{pombo.HeaderDocument, ".xls", ole, "application/vnd.ms-excel"},
	{pombo.HeaderDocument, ".ppt", ole, "application/vnd.ms-powerpoint"},
	{pombo.HeaderDocument, ".txt", text, "text/plain"},
	{pombo.HeaderImage, ".jpg", jpeg, "image/jpeg"},
	{pombo.HeaderImage, ".jpeg", jpeg, "image/jpeg"},
	{pombo.HeaderImage, ".png", png, "image/png"},
	{pombo.HeaderVideo, ".mp4", mp4, "video/mp4"},
	{pombo.HeaderVideo, ".3gp", film3gp, "video/3gpp"},
}

// identify judges a document by its name and its content, and returns the name that the
// person sees and the type.
func identify(header pombo.Slot, name string, b []byte) (shown, mime string, err error) {
	found := look(b)
	ending := strings.ToLower(path.Ext(name))
	var takes []string
	for _, k := range kinds {
		if k.slot != header {
			continue
		}
		takes = append(takes, k.ending)
		switch {
		case ending == k.ending && found == k.content:
			return name, k.mime, complete(found, b)
		case ending == k.ending:
			return "", "", refused("its name ends in %s, and its content is %s", k.ending, found)
		}
	}
	if ending != "" {
		return "", "", refused("WhatsApp takes %s in %s, and its name ends in something else", strings.Join(takes, ", "), header)
	}
	for _, k := range kinds {
		// The same content has several endings where the name has to say which.
		if k.slot == header && k.content == found && found != zipped && found != ole && found != text {
			if name == "" {
				name = "documento"
			}
			return name + k.ending, k.mime, complete(found, b)
		}
	}
	return "", "", refused("WhatsApp takes %s in %s; nothing names an ending, and the content is %s", strings.Join(takes, ", "), header, found)
}

// look says what bytes look like, by how they begin.
func look(b []byte) content {
	begins := func(s string) bool { return bytes.HasPrefix(b, []byte(s)) }
	switch {
	case begins("%PDF-"):
		return pdf
	case begins("\xff\xd8\xff"):
		return jpeg
	case begins("\x89PNG\r\n\x1a\n"):
		return png
	case begins("PK\x03\x04"):
		return zipped
	case begins("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
		return ole
	case len(b) >= 12 && string(b[4:8]) == "ftyp":
		switch brand := string(b[8:12]); {
		case strings.HasPrefix(brand, "3gp"):
			return film3gp
		case strings.HasPrefix(brand, "iso") || strings.HasPrefix(brand, "mp4") || brand == "avc1" || brand == "dash" || brand == "M4V " || brand == "MSNV":
			return mp4
		}
		return unknown
	case utf8.Valid(b) && bytes.IndexFunc(b, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\r\n\f", r) }) < 0:
		return text
	}
	return unknown
}

// ends is what the last bytes of a whole file have among them: a program that is still
// writing one has not come to it.
var ends = map[content]struct {
	mark   string
	within int
}{
	pdf:    {"%%EOF", 4 << 10},
	jpeg:   {"\xff\xd9", 4 << 10},
	png:    {"IEND", 4 << 10},
	zipped: {"PK\x05\x06", 66 << 10},
}

// complete returns an error for a file that ends too early.
func complete(c content, b []byte) error {
	if end, ok := ends[c]; ok && !bytes.Contains(b[max(0, len(b)-end.within):], []byte(end.mark)) {
		return &Error{Whose: MayCome, Reason: pombo.DocumentRefused, Detail: "the end of it is missing: it was not written, or not sent, whole"}
	}
	return nil
}
