package config

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"pombo"
	"pombo/internal/loopback"
)

// checkTogether checks what no variable can know alone.
func (l *loader) checkTogether(c *Config) {
	l.checkBlip(c)
	l.checkDatabase(c)
	l.checkColumns(c)
	l.checkCodes(c)
	l.checkReplies(c)
	l.checkPlace(c)
	l.checkDocuments(c)
	l.checkFallback()
	l.checkDesk(c)

	if path, ok := strings.CutPrefix(c.Ledger.URL.Reveal(), "sqlite:"); ok && strings.Contains(path, ":memory:") {
		l.report("LEDGER_URL", trouble("is in memory: after a restart nobody would know what was sent", "name a file, such as sqlite:data/pombo.db"))
	}
	if sameFile(c.Source.URL.Reveal(), c.Ledger.URL.Reveal()) {
		l.report("LEDGER_URL", trouble("names the company's own database, that of DB_URL: Pombo puts nothing of its own into it", "name another file, such as sqlite:data/pombo.db"))
	}
	if host, _, err := net.SplitHostPort(c.API.Addr); err == nil && !loopback.Host(host) && !l.isSet("API_TOKEN") {
		l.report("API_ADDR", trouble("lets other machines in, and without API_TOKEN everybody there could send",
			"set API_TOKEN to a long random word, or API_ADDR to 127.0.0.1:5000"))
	}
	switch url, secret := l.isSet("EVENTS_URL"), l.isSet("EVENTS_SECRET"); {
	case url && !secret:
		l.report("EVENTS_SECRET", l.absent("is not set, and the events for EVENTS_URL are signed with it", "EVENTS_SECRET"))
	case secret && !url:
		l.warn("EVENTS_SECRET", "does nothing without EVENTS_URL")
	}
	if l.isSet("WEBHOOK_SECRET") && !l.isSet("API_TOKEN") {
		l.warn("WEBHOOK_SECRET", "is set and API_TOKEN is not: a proxy that lets Blip in may let everybody in; set API_TOKEN")
	}
	if n := len(c.API.Token.Reveal()); n > 0 && n < leastSecret {
		short := fmt.Sprintf("has only %d characters: it can be guessed", n)
		if host, _, err := net.SplitHostPort(c.API.Addr); err == nil && !loopback.Host(host) && l.need&NeedAPI != 0 {
			l.report("API_TOKEN", trouble(short+", and API_ADDR lets other machines in", fmt.Sprintf("write a random word of at least %d characters", leastSecret)))
		} else {
			l.warn("API_TOKEN", short)
		}
	}
	if wait, call := c.Dispatch.UncertainWait, c.Blip.Timeout; wait > 0 && wait < call {
		l.report("UNCERTAIN_WAIT", trouble(fmt.Sprintf("is %s, shorter than BLIP_TIMEOUT (%s): Blip could be asked while the message is still on its way", span(wait), span(call)),
			"write at least "+span(call)))
	}
}

// sameFile reports whether two addresses are of one SQLite file, by whatever names.
func sameFile(a, b string) bool {
	one, isOne := strings.CutPrefix(a, "sqlite:")
	other, isOther := strings.CutPrefix(b, "sqlite:")
	if !isOne || !isOther {
		return false
	}
	if infoOne, err := os.Stat(one); err == nil {
		infoOther, err := os.Stat(other)
		return err == nil && os.SameFile(infoOne, infoOther)
	}
	pathOne, err := filepath.Abs(one)
	pathOther, e := filepath.Abs(other)
	return err == nil && e == nil && pathOne == pathOther
}

// warn adds a warning about a variable, unless it lies in a part that nobody
// needs.
func (l *loader) warn(name, what string) {
	if _, need, _ := lookup(name); need&l.need == 0 {
		return
	}
	l.warnings = append(l.warnings, Warning{name, l.given[name].where, what})
}

func (l *loader) checkBlip(c *Config) {
	if l.isSet("BLIP_URL") && l.isSet("BLIP_CONTRACT") {
		l.report("BLIP_CONTRACT", trouble("and BLIP_URL ("+l.given["BLIP_URL"].where+") are both set", "take one of the two away"))
	}
	// Only who reads rows and sends them needs a template for each; "pombo
	// templates" is there to find one.
	if sends := NeedBlip | NeedSource; l.need&sends == sends && !l.isSet("TEMPLATE_NAME") && !l.isSet("DB_COL_TEMPLATE") {
		l.report("TEMPLATE_NAME", l.absent("is not set, and no DB_COL_TEMPLATE names one for each row", "TEMPLATE_NAME"))
	}
	if l.isSet("BLIP_FLOW_ID") != l.isSet("BLIP_STATE_ID") {
		set, missing := "BLIP_FLOW_ID", "BLIP_STATE_ID"
		if l.isSet(missing) {
			set, missing = missing, set
		}
		l.report(set, trouble("is set and "+missing+" is not; a reply lands by both or by neither", "set "+missing+" too, or take "+set+" away"))
	}
	if c.Blip.Key != "" && !looksLikeKey(c.Blip.Key) {
		l.warn("KEYBLIP", "does not look like a key of Blip (base64 of identifier:access key); if Blip refuses it, copy it again")
	}
}

// checkDatabase makes sure that the database is named in one way.
func (l *loader) checkDatabase(c *Config) {
	byURL, byDSN := l.isSet("DB_URL"), l.isSet("DB_DSN")
	byParts := !byURL && !byDSN && l.isSet("DB_HOST")
	if byParts {
		l.assemble(c)
		byDSN = true
	}
	// Other programs have such names in their environment.
	if at := l.given["DB_HOST"]; !byParts && l.isSet("DB_HOST") && at.line > 0 {
		l.warn("DB_HOST", "does nothing beside DB_DSN or DB_URL")
	}
	switch {
	case byURL && byDSN:
		l.report("DB_DSN", trouble("and DB_URL ("+l.given["DB_URL"].where+") are both set", "take one of the two away"))
	case !byURL && !byDSN:
		l.report("DB_DSN", l.absent("is not set, and DB_URL is not either: which database has the table?", "DB_DSN=…, DB_USER=… and DB_PASSWORD=…, or DB_URL"))
	}
	for _, name := range []string{"DB_USER", "DB_PASSWORD"} {
		switch set := l.isSet(name); {
		case set && byURL && !byDSN:
			l.report(name, trouble("is set beside DB_URL, which names its own user", "take "+name+" away, or use DB_DSN instead of DB_URL"))
		case !set && byDSN && !byURL:
			needs := "DB_DSN"
			if byParts {
				needs = "DB_HOST"
			}
			l.report(name, l.absent("is not set, and "+needs+" needs it", name))
		}
	}
}

// assemble makes the DSN of its parts.
func (l *loader) assemble(c *Config) {
	text := func(name string) string { return strings.TrimSpace(l.given[name].text) }
	host, port, service, sid := text("DB_HOST"), text("DB_PORT"), text("DB_SERVICE_NAME"), text("DB_SID")
	if port == "" {
		port = "1521"
	}
	_, err := strconv.ParseUint(port, 10, 16)
	switch {
	case strings.ContainsAny(host, " \t@/()?"):
		l.report("DB_HOST", trouble("is not a name or address of a host", "write the name alone, such as dbserver"))
	case err != nil:
		l.report("DB_PORT", trouble("is not a number of a port", "write 1521, or what lsnrctl status shows"))
	case service != "" && sid != "":
		l.report("DB_SID", trouble("and DB_SERVICE_NAME ("+l.given["DB_SERVICE_NAME"].where+") are both set", "take DB_SID away"))
	case service != "":
		c.Source.DSN = net.JoinHostPort(host, port) + "/" + service
	case sid != "":
		c.Source.DSN = net.JoinHostPort(host, port) + ":" + sid
	default:
		l.report("DB_SERVICE_NAME", l.absent("is not set, nor is DB_SID: what does DB_HOST call the database?", "DB_SERVICE_NAME"))
	}
}

// checkColumns keeps a column that Pombo writes apart from all others: writing
// the time of sending into the phone number would be hard to take back.
func (l *loader) checkColumns(c *Config) {
	s := &c.Source
	owner := map[string]string{} // column → the variable that names it
	fold := func(column string) string { return strings.ToUpper(strings.Trim(column, `"`)) }
	for _, r := range []struct{ name, column string }{
		{"DB_COL_ID", s.ColID},
		{"DB_COL_PHONE", s.ColPhone},
		{"DB_COL_TEMPLATE", s.ColTemplate},
		{"DB_COL_LANGUAGE", s.ColLanguage},
		{"DB_COL_PRIORITY", s.ColPriority},
		{"DB_COL_SEND_AFTER", s.ColSendAfter},
		{"DB_COL_EXPIRES", s.ColExpires},
		{"DB_COL_REMINDS", s.ColReminds},
	} {
		owner[fold(r.column)] = r.name
	}
	personal := fold(s.ColPhone) == fold(s.ColID)
	for _, p := range s.Params {
		owner[fold(p.Name)] = "DB_COL_PARAMS"
		personal = personal || fold(p.Name) == fold(s.ColID)
	}
	if personal {
		l.report("DB_COL_ID", trouble("names a column of the person (DB_COL_PHONE or DB_COL_PARAMS), and the key stands in the log, the API and the ledger for good",
			"name the table's own key; if the message is to show that key, map a view that has it in a second column"))
	}
	for _, w := range []struct{ name, column string }{
		{"DB_COL_STATUS", s.ColStatus},
		{"DB_COL_MESSAGE_ID", s.ColMessageID},
		{"DB_COL_SENT_AT", s.ColSentAt},
		{"DB_COL_ERROR", s.ColError},
		{"DB_COL_REPLY", s.ColReply},
		{"DB_COL_REPLY_AT", s.ColReplyAt},
	} {
		if w.column == "" {
			continue
		}
		if other, taken := owner[fold(w.column)]; taken {
			l.report(w.name, trouble("names the same column as "+other+", and Pombo writes into it", "name a column of its own"))
			continue
		}
		owner[fold(w.column)] = w.name
	}
}

// checkDocuments makes sure that files which rows name can be found.
func (l *loader) checkDocuments(c *Config) {
	for _, p := range c.Source.Params {
		if _, store, ok := p.Place.Upload(); ok && store == pombo.StoreFile && c.Dispatch.DocumentsDir == "" {
			l.report("DOCUMENTS_DIR", l.absent("is not set, and DB_COL_PARAMS has "+string(p.Place)+": in which folder are the files?", "DOCUMENTS_DIR"))
			return
		}
	}
}

// checkFallback warns of what does nothing.
func (l *loader) checkFallback() {
	for _, name := range []string{"FALLBACK_ON", "FALLBACK_AFTER"} {
		usual, _, _ := lookup(name)
		if l.isSet(name) && l.given[name].text != usual.standard && !l.isSet("STATUS_FALLBACK") {
			l.warn(name, "does nothing without STATUS_FALLBACK, the code that it leads to")
		}
	}
}

// statusCode is the code that a variable gives; "" = none.
type statusCode struct{ name, code string }

// statusCodes are those of all STATUS_ variables.
func statusCodes(s *Source) []statusCode {
	return []statusCode{
		{"STATUS_PENDING", s.Pending},
		{"STATUS_SENT", s.Sent},
		{"STATUS_FAILED", s.Failed},
		{"STATUS_DELIVERED", s.Delivered},
		{"STATUS_READ", s.Read},
		{"STATUS_EXPIRED", s.Expired},
		{"STATUS_SUPPRESSED", s.Suppressed},
		{"STATUS_FALLBACK", s.Fallback},
	}
}

// checkCodes makes sure that a status code means one thing.
func (l *loader) checkCodes(c *Config) {
	codes := statusCodes(&c.Source)
	// Several ways of not being sent may share a code.
	unsent := func(name string) bool {
		return name == "STATUS_FAILED" || name == "STATUS_EXPIRED" || name == "STATUS_SUPPRESSED"
	}
	for i, code := range codes {
		if code.code == "" {
			continue
		}
		for _, other := range codes[:i] {
			if !sameCode(code.code, other.code) || unsent(code.name) && unsent(other.name) {
				continue
			}
			what := "is the same code as " + other.name + ": nobody could tell the two apart"
			if other.name == "STATUS_PENDING" {
				what = "is the same code as STATUS_PENDING: a row would stay pending and be sent for ever"
			}
			l.report(code.name, trouble(what, "give each STATUS_ a code of its own"))
			break
		}
	}
}

// sameCode compares as a column of numbers would: 1, 01 and 1.0 are one code.
func sameCode(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x == y
}
