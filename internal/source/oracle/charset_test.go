package oracle

import (
	"strings"
	"testing"
)

func TestOracle_JudgesCharsets(t *testing.T) {
	for charset, todo := range map[string]bool{"AL32UTF8": false, "UTF8": false, "WE8MSWIN1252": false, "WE8ISO8859P15": false, "US7ASCII": true, "EE8MSWIN1250": true} {
		if r := judgeCharset(charset); (r.Hint != "") != todo || !strings.Contains(r.Message, charset) {
			t.Errorf("%s: %+v", charset, r)
		}
	}
}
