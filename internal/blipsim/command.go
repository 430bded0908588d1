package blipsim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

// command is a command and, once executed, its result.
type command struct {
	ID       string          `json:"id"`
	To       string          `json:"to"`
	Method   string          `json:"method"`
	URI      string          `json:"uri"`
	Type     string          `json:"type"`
	Resource json.RawMessage `json:"resource"`

	base        string // where the simulator answers
	code        int    // of a failure; 0 = success
	description string
	resultType  string // "" = success without a resource
	result      []byte
}

func (c *command) fail(code int, description string) { c.code, c.description = code, description }

func (c *command) succeed(kind string, resource []byte) { c.resultType, c.result = kind, resource }

// postCommand answers every command that it can parse with 200, even one that fails: the
// answer's status says so.
func (s *Server) postCommand(w http.ResponseWriter, r *http.Request, sc *scratch, b *bot, f fault) {
	var c command
	if err := sc.decode(&c); err != nil {
		s.wait(r, s.opts.Latency)
		s.refuse(w, sc, http.StatusBadRequest, "The envelope is not valid JSON")
		return
	}
	c.base = origin(r)
	host, path, query := c.target()
	if f.processed() {
		s.carryOut(sc, &c, b, host, path, query)
	}
	if s.answer(w, r, sc, f) {
		return
	}
	if c.code != 0 {
		s.counters.failedCommands.Add(1)
	}
	s.appendAnswer(sc, &c, b, host)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(sc.out)
}

// target returns the target of a command: that of a URI "lime://host/path", else the
// path at the host of "to".
func (c *command) target() (host, path, query string) {
	if rest, ok := strings.CutPrefix(c.URI, "lime://"); ok {
		host, path, _ = strings.Cut(rest, "/")
		if _, domain, ok := strings.Cut(host, "@"); ok {
			host = domain // lime://mybot@msging.net/…
		}
	} else {
		_, host, _ = strings.Cut(c.To, "@")
		host, _, _ = strings.Cut(host, "/")
		path = strings.TrimPrefix(c.URI, "/")
	}
	if host == "" {
		host = "msging.net"
	}
	path, query, _ = strings.Cut(path, "?")
	return host, path, query
}

// carryOut executes a command on the resource that the path names. An unknown resource
// fails with 62, a method that the resource does not have with 63.
func (s *Server) carryOut(sc *scratch, c *command, b *bot, host, path, query string) {
	name, rest, _ := strings.Cut(path, "/")
	if strings.Contains(rest, "%") {
		if plain, err := url.PathUnescape(rest); err == nil {
			rest = plain
		}
	}
	if host == whatsApp {
		s.carryOutWhatsApp(sc, c, name, rest, query)
		return
	}
	if host == "media.msging.net" && name == "upload-media-uri" {
		s.getUploadAddress(c, query)
		return
	}
	switch {
	case c.URI == "":
		s.counters.otherCommands.Add(1)
		c.fail(64, "The uri is missing")
	case name == "notifications" && c.Method == "get":
		s.getNotifications(sc, c, b, query)
	case name == "threads" && rest != "":
		if c.needs("get") {
			s.getThread(sc, c, rest, query)
		}
	case name == "contacts":
		s.counters.stores.Add(1)
		if rest == "" {
			rest = c.contact()
		}
		if rest == "" {
			c.fail(64, "The identity of the contact is missing")
			return
		}
		s.stored.carryOut(c, b.node+"/"+name, rest)
	case name == "contexts" || name == "buckets":
		s.counters.stores.Add(1)
		s.stored.carryOut(c, b.node+"/"+name, rest)
	case name == "event-track" || name == "delegations":
		s.counters.otherCommands.Add(1)
		c.needs("set")
	case name == "ping":
		s.counters.otherCommands.Add(1)
		if c.needs("get") {
			c.succeed("application/vnd.lime.ping+json", []byte("{}"))
		}
	default:
		s.counters.otherCommands.Add(1)
		if name == "notifications" {
			c.needs("get")
			return
		}
		c.fail(62, "The resource is not supported")
	}
}

func (s *Server) carryOutWhatsApp(sc *scratch, c *command, name, rest, query string) {
	switch name {
	case "accounts":
		if c.needs("get") {
			s.getAccount(sc, c, rest)
		}
	case "message-templates", "message-templates-enriched":
		s.counters.templateLists.Add(1)
		if c.needs("get") {
			s.getTemplates(sc, c, name == "message-templates-enriched", query)
		}
	case "whatsapp-business-account":
		s.counters.otherCommands.Add(1)
		if c.needs("get") {
			sc.part = appendObject(sc.part[:0], s.roll(), text("id", "100000000000001"), text("currency", "BRL"), text("name", "Loja Exemplo"),
				text("message_template_namespace", "00000000_0000_0000_0000_000000000000"), text("timezone_id", "25"))
			c.succeed("application/json", sc.part)
		}
	default:
		s.counters.otherCommands.Add(1)
		c.fail(62, "The resource is not supported")
	}
}

// needs reports whether the command has the method, and fails the command if not.
func (c *command) needs(method string) bool {
	if c.Method == method {
		return true
	}
	c.fail(63, "The method is not supported by the resource")
	return false
}

// getTemplates lists the templates. The two lists differ in their container: the plain
// one is Meta's, the enriched one a LIME collection.
func (s *Server) getTemplates(sc *scratch, c *command, enriched bool, query string) {
	values, err := url.ParseQuery(query)
	if err != nil {
		c.fail(64, "The query is not valid")
		return
	}
	list, n := s.appendTemplates(nil, values.Get("templateName"))
	if enriched {
		sc.part = appendObject(sc.part[:0], s.roll(), number("total", int64(n)), text("itemType", "application/json"), raw("items", list))
		c.succeed("application/vnd.lime.collection+json", sc.part)
		return
	}
	sc.part = appendObject(sc.part[:0], s.roll(), raw("data", list))
	c.succeed("application/json", sc.part)
}

func templateID(i int) string { return strconv.Itoa(1_000_000_000_000_001 + i) }

// maxTake is the longest page of a collection.
const maxTake = 100

// getNotifications answers with the receipts of a message.
func (s *Server) getNotifications(sc *scratch, c *command, b *bot, query string) {
	s.counters.notificationGets.Add(1)
	values, err := url.ParseQuery(query)
	id := values.Get("id")
	if err != nil || id == "" {
		c.fail(64, "The message id is missing")
		return
	}
	skip, take := 0, maxTake
	for name, n := range map[string]*int{"$skip": &skip, "$take": &take} {
		if text := values.Get(name); text != "" {
			if *n, err = strconv.Atoi(text); err != nil || *n < 0 {
				c.fail(64, "The "+name+" parameter is not valid")
				return
			}
		}
	}
	if take > maxTake {
		c.fail(64, "The take parameter cannot exceed 100")
		return
	}
	all := s.disturb(s.Receipts(id))
	if len(all) == 0 && s.opts.Faults.NotificationsNotFound {
		c.fail(67, "The requested resource was not found")
		return
	}
	items := all[min(skip, len(all)):]
	items = items[:min(take, len(items))]
	list := []byte{'['}
	for i, r := range items {
		if i > 0 {
			list = append(list, ',')
		}
		list = s.appendReceipt(list, sc, r, b.node)
	}
	list = append(list, ']')
	sc.part = appendObject(sc.part[:0], s.roll(), number("total", int64(len(all))),
		text("itemType", "application/vnd.lime.notification+json"), raw("items", list))
	c.succeed("application/vnd.lime.collection+json", sc.part)
}

// appendAnswer appends the answer to a command, with the instances of nodes, the metadata
// and the random order of keys that Blip's answers have.
func (s *Server) appendAnswer(sc *scratch, c *command, b *bot, host string) {
	roll := s.roll()
	from, to, uri := "postmaster@"+host, b.node, c.URI
	if host != whatsApp {
		from += "/#az-iris" + strconv.FormatUint(1+roll%5, 10)
		to += "/!iris-hosted-" + strconv.FormatUint(1+roll%5, 10) + "-" + strconv.FormatUint(0x10000000|roll&0x7fffffff, 16)
	}
	if !strings.HasPrefix(uri, "lime://") {
		owner := b.node
		if host != "msging.net" {
			owner = host
		}
		uri = "lime://" + owner + "/" + strings.TrimPrefix(uri, "/")
	}
	sc.meta = appendObject(sc.meta[:0], roll,
		text("#command.uri", uri), text("traceparent", trace(roll)), text("#metrics.custom.label", "processor:default"))
	fields := make([]field, 0, 8)
	fields = append(fields, text("method", c.Method), text("id", c.ID), text("from", from), text("to", to), raw("metadata", sc.meta))
	switch {
	case c.code != 0:
		fields = append(fields, text("status", "failure"), raw("reason", s.appendReason(nil, c.code, c.description)))
	case c.resultType != "":
		fields = append(fields, text("status", "success"), text("type", c.resultType), raw("resource", c.result))
	default:
		fields = append(fields, text("status", "success"))
	}
	sc.out = appendObject(sc.out[:0], mix(roll), fields...)
}

// maxStored bounds how many resources the simulator stores for bots; it accepts and
// forgets further ones.
const maxStored = 10_000

// stored are the contexts, contacts and buckets of the bots, by path.
type stored struct {
	mu     sync.Mutex
	byPath map[string]resource
}

type resource struct {
	kind string
	body []byte
}

// contact returns the identity in the resource of a command; "" when it has none.
func (c *command) contact() string {
	var contact struct {
		Identity string `json:"identity"`
	}
	if json.Unmarshal(c.Resource, &contact) != nil {
		return ""
	}
	return contact.Identity
}

// merge merges the members of one JSON object into another, and those of the objects in
// them, so many levels deep. Anything else replaces the other value.
func merge(into, from json.RawMessage, levels int) json.RawMessage {
	var a, b map[string]json.RawMessage
	if levels == 0 || json.Unmarshal(into, &a) != nil || json.Unmarshal(from, &b) != nil || a == nil || b == nil {
		return from
	}
	for name, value := range b {
		if old, ok := a[name]; ok {
			value = merge(old, value, levels-1)
		}
		a[name] = value
	}
	merged, err := json.Marshal(a)
	if err != nil {
		panic(err) // cannot happen: all of it was read from JSON
	}
	return merged
}

func (st *stored) clear() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.byPath = map[string]resource{}
}

func (st *stored) carryOut(c *command, owner, rest string) {
	// Case is ignored: Master-State and master-state are both in use.
	key := owner + "/" + strings.ToLower(rest)
	st.mu.Lock()
	defer st.mu.Unlock()
	found, known := st.byPath[key]
	switch c.Method {
	case "set", "merge":
		if c.Type == "" || len(c.Resource) == 0 {
			c.fail(64, "The resource is missing")
			return
		}
		body := c.Resource
		if c.Method == "merge" && known {
			body = merge(found.body, body, 2) // of a contact and of its extras
		}
		if len(body) > maxBody {
			c.fail(64, "The resource is too large")
			return
		}
		if known || len(st.byPath) < maxStored {
			st.byPath[key] = resource{c.Type, body}
		}
	case "get", "delete":
		if !known {
			c.fail(67, "The requested resource was not found")
			return
		}
		if c.Method == "delete" {
			delete(st.byPath, key)
			return
		}
		c.succeed(found.kind, found.body)
	default:
		c.needs("set")
	}
}
