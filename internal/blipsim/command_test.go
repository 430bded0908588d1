package blipsim

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCommand_Accounts(t *testing.T) {
	for _, c := range []struct{ phone, want string }{
		{"+5531900000001", "553100000001@wa.gw.msging.net"},
		{"%2B5531900000001", "553100000001@wa.gw.msging.net"},
		{"+5511900000001", "5511900000001@wa.gw.msging.net"},
		{"+5519900000001", "5519900000001@wa.gw.msging.net"},
		{"+5521900000001", "5521900000001@wa.gw.msging.net"},
		{"+5522900000001", "5522900000001@wa.gw.msging.net"},
		{"+5524900000001", "5524900000001@wa.gw.msging.net"},
		{"+5527900000001", "5527900000001@wa.gw.msging.net"},
		{"+5528900000001", "5528900000001@wa.gw.msging.net"},
		{"+5571900000001", "557100000001@wa.gw.msging.net"},
		{"+553130000000", "553130000000@wa.gw.msging.net"},   // a landline
		{"+5531300000001", "5531300000001@wa.gw.msging.net"}, // the fifth digit is no 9
		{"+14155550100", "14155550100@wa.gw.msging.net"},     // abroad
		{"5531900000001", "5531900000001@wa.gw.msging.net"},  // no plus: said back
		{"rubbish", "rubbish@wa.gw.msging.net"},              // anything is
		{"%22%3Cb%3E", "\"<b>@wa.gw.msging.net"},             //
		{"+31x", "64"}, {"+", "64"}, {"", "64"},              //
		{"+" + strings.Repeat("9", 19), "64"}, //
		{"+0", "64"},                          //
		{"+5531900000001?x=1", "553100000001@wa.gw.msging.net"}, //
	} {
		for _, uri := range []string{"lime://wa.gw.msging.net/accounts/" + c.phone, "/accounts/" + c.phone} {
			s, _ := newServer(t, Options{})
			a := ask(t, s, fmt.Sprintf(`{"id":"c1","to":"postmaster@wa.gw.msging.net","method":"get","uri":%q}`, uri))
			var account struct{ Identity, AlternativeAccount, PhoneNumber string }
			got := ""
			if a.Reason != nil {
				got = fmt.Sprint(a.Reason.Code)
			} else if err := json.Unmarshal(a.Resource, &account); err != nil {
				t.Fatal(err)
			} else if got = account.Identity; got != account.AlternativeAccount {
				t.Errorf("%s: identity %q, alternative account %q", uri, got, account.AlternativeAccount)
			}
			if got != c.want {
				t.Errorf("%s: identity = %q, want %q", uri, got, c.want)
			}
		}
	}
}

func TestFaults_IdentitiesAsGUID(t *testing.T) {
	s, clock := newServer(t, Options{Scripts: DefaultScripts(), Faults: Faults{IdentitiesAsGUID: true}})
	a := ask(t, s, golden(t, "account-get.request.json"))
	var account struct{ Identity string }
	if err := json.Unmarshal(a.Resource, &account); err != nil {
		t.Fatal(err)
	}
	local, _, _ := strings.Cut(account.Identity, "@")
	if _, ok := parseUUID(local); !ok || strings.Contains(local, "553100000001") {
		t.Fatalf("identity = %q, want a GUID that does not show the number", account.Identity)
	}
	status(t, s, "/messages", message("1", account.Identity))
	status(t, s, "/messages", message("2", messageID(5)+"@wa.gw.msging.net"))
	clock.pass(time.Minute)
	if got, want := events(s, "1"), "accepted, dispatched, failed 131026"; got != want {
		t.Errorf("events = %s, want %s: the number behind the GUID ends in 0001", got, want)
	}
	if got, want := events(s, "2"), "accepted, failed 42"; got != want {
		t.Errorf("events of a GUID that is unknown = %s, want %s", got, want)
	}
	if got := s.Receipts("1")[0].Recipient; got != account.Identity {
		t.Errorf("recipient = %q, want %q", got, account.Identity)
	}
}

func TestCommand_Failures(t *testing.T) {
	for _, c := range []struct {
		body string
		want int
	}{
		{get("get", "/nope"), 62},
		{get("get", "lime://wa.gw.msging.net/nope"), 62},
		{get("get", "/accounts/+5531900000001"), 62}, // to the wrong node
		{get("get", ""), 64},
		{get("get", "/notifications"), 64},
		{get("get", "/notifications?id=%zz"), 64},
		{get("get", "/notifications?id=x&$take=101"), 64},
		{get("get", "/notifications?id=x&$take=-1"), 64},
		{get("get", "/notifications?id=x&$skip=a"), 64},
		{get("set", "/notifications?id=x"), 63},
		{get("set", "lime://wa.gw.msging.net/accounts/+5531900000001"), 63},
		{get("set", "lime://wa.gw.msging.net/message-templates"), 63},
		{get("get", "lime://wa.gw.msging.net/message-templates?%zz"), 64},
		{get("get", "/event-track"), 63},
		{get("set", "/ping"), 63},
		{get("get", "/contexts/x/y"), 67},
		{get("delete", "/contexts/x/y"), 67},
		{get("observe", "/contexts/x/y"), 63},
		{get("set", "/contexts/x/y"), 64}, // without a resource
		{`{}`, 64},
	} {
		s, _ := newServer(t, Options{})
		a := ask(t, s, c.body)
		if a.Status != "failure" || a.Reason == nil || a.Reason.Code != c.want || a.Reason.Description == "" || a.Resource != nil {
			t.Errorf("%s: answer = %+v, want failure %d", c.body, a, c.want)
		}
		if got := s.Counts().FailedCommands; got != 1 {
			t.Errorf("%s: failed commands = %d, want 1", c.body, got)
		}
	}
}

func TestCommand_StoresResources(t *testing.T) {
	s, _ := newServer(t, Options{})
	set := `{"id":"c1","method":"set","uri":"/contexts/` + maria + `/Master-State","type":"text/plain","resource":"subbot@msging.net"}`
	if a := ask(t, s, set); a.Status != "success" || a.Type != "" {
		t.Errorf("set: %+v, want success without a resource", a)
	}
	status(t, s, "/messages", message("1", strings.Repeat("x", 200))) // writes over the memory of the request
	a := ask(t, s, get("get", "/contexts/"+url.PathEscape(maria)+"/master-state"))
	if a.Type != "text/plain" || string(a.Resource) != `"subbot@msging.net"` {
		t.Errorf("get: %+v, resource %s", a, a.Resource)
	}
	if a := ask(t, s, get("delete", "/contexts/"+maria+"/Master-State")); a.Status != "success" {
		t.Errorf("delete: %+v", a)
	}
	if a := ask(t, s, get("get", "/contexts/"+maria+"/Master-State")); a.Status != "failure" {
		t.Errorf("get after delete: %+v", a)
	}
}

// A contact is named by its identity in the resource, and get finds it by that.
func TestCommand_Contacts(t *testing.T) {
	s, _ := newServer(t, Options{})
	contact := func(method, resource string) string {
		return `{"id":"c1","to":"postmaster@msging.net","method":"` + method + `","uri":"/contacts","type":"application/vnd.lime.contact+json","resource":` + resource + `}`
	}
	kept := func(want string) {
		t.Helper()
		a := ask(t, s, `{"id":"c2","to":"postmaster@crm.msging.net","method":"get","uri":"/contacts/`+strings.ToUpper(maria)+`"}`)
		var got, wanted any
		if json.Unmarshal(a.Resource, &got) != nil || a.Type != "application/vnd.lime.contact+json" {
			t.Fatalf("get: %+v, resource %s, want a contact", a, a.Resource)
		}
		if err := json.Unmarshal([]byte(want), &wanted); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Errorf("the contact (-want +got):\n%s", diff)
		}
	}
	if a := ask(t, s, get("get", "/contacts/"+maria)); a.Reason == nil || a.Reason.Code != 67 {
		t.Errorf("get of an unknown contact: %+v, want 67", a)
	}
	ask(t, s, contact("merge", `{"identity":"`+maria+`","name":"Maria","extras":{"plano":"ouro"}}`))
	kept(`{"identity":"` + maria + `","name":"Maria","extras":{"plano":"ouro"}}`)
	ask(t, s, contact("merge", `{"identity":"`+maria+`","city":"Recife","extras":{"leito":"7"}}`))
	kept(`{"identity":"` + maria + `","name":"Maria","city":"Recife","extras":{"plano":"ouro","leito":"7"}}`)
	ask(t, s, contact("set", `{"identity":"`+maria+`","name":"M."}`)) // drops what it does not name
	kept(`{"identity":"` + maria + `","name":"M."}`)
	for _, wrong := range []string{contact("merge", `{"name":"x"}`), contact("set", `"x"`), contact("merge", `{"identity":7}`)} {
		if a := ask(t, s, wrong); a.Reason == nil || a.Reason.Code != 64 {
			t.Errorf("%s: %+v, want 64", wrong, a)
		}
	}
	other := request("/commands", get("get", "/contacts/"+maria))
	other.Header.Set("Authorization", "Key b3V0cm86c2VjcmV0") // another bot
	if w, _ := do(t, s, other); !strings.Contains(w.Body.String(), `"failure"`) {
		t.Errorf("another bot sees the contact: %s", w.Body)
	}
	if a := ask(t, s, get("delete", "/contacts/"+maria)); a.Status != "success" {
		t.Errorf("delete: %+v", a)
	}
	if a := ask(t, s, get("get", "/contacts/"+maria)); a.Reason == nil || a.Reason.Code != 67 {
		t.Errorf("get after delete: %+v, want 67", a)
	}
}

func TestCommand_AnswerIsAddressed(t *testing.T) {
	s, _ := newServer(t, Options{})
	a := ask(t, s, get("get", "/ping"))
	if !strings.HasPrefix(a.From, "postmaster@msging.net/#az-iris") || !strings.HasPrefix(a.To, "mybot@msging.net/!iris-hosted-") {
		t.Errorf("from %q to %q, want nodes with instances", a.From, a.To)
	}
	if a.ID != "c1" || a.Method != "get" || a.Metadata["#command.uri"] != "lime://mybot@msging.net/ping" || a.Metadata["traceparent"] == "" {
		t.Errorf("answer = %+v", a)
	}
}

func TestCommand_KeyOrderVaries(t *testing.T) {
	s, _ := newServer(t, Options{})
	first := map[string]bool{}
	for range 50 {
		w, _ := send(t, s, "/commands", get("get", "/ping"))
		key, _, _ := strings.Cut(w.Body.String(), ":")
		first[key] = true
	}
	if len(first) < 5 {
		t.Errorf("%d different first keys in 50 answers: %v", len(first), first)
	}
}

func TestCommand_ListsTemplates(t *testing.T) {
	s, _ := newServer(t, Options{Templates: []Template{{Name: "a", Body: "x"}, {Name: "b", Language: "en", Status: "PAUSED", Body: "y"}}})
	a := ask(t, s, `{"id":"c1","to":"postmaster@wa.gw.msging.net","method":"get","uri":"/message-templates-enriched?templateName=b"}`)
	var list struct {
		Total int
		Items []struct{ Name, Language, Status, Category string }
	}
	if err := json.Unmarshal(a.Resource, &list); err != nil {
		t.Fatal(err)
	}
	if list.Total != 1 || len(list.Items) != 1 || list.Items[0] != (struct{ Name, Language, Status, Category string }{"b", "en", "PAUSED", "UTILITY"}) {
		t.Errorf("list = %+v", list)
	}
	for _, none := range []string{"/message-templates?templateName=c", "/message-templates-enriched?templateName=c"} {
		if a := ask(t, s, `{"id":"c1","to":"postmaster@wa.gw.msging.net","method":"get","uri":"`+none+`"}`); a.Status != "success" {
			t.Errorf("%s: %+v, want an empty list", none, a)
		}
	}
}

// items asks for the receipts of a message over the wire.
func items(t *testing.T, s *Server, query string) (total int, events []string) {
	t.Helper()
	a := ask(t, s, get("get", "/notifications?"+query))
	var list struct {
		Total int
		Items []struct {
			Event, ID, From string
			Metadata        map[string]string
		}
	}
	if a.Reason != nil {
		t.Fatalf("%s: %+v", query, a.Reason)
	}
	if err := json.Unmarshal(a.Resource, &list); err != nil {
		t.Fatal(err)
	}
	if list.Items == nil {
		t.Errorf("%s: items is null, want an array", query)
	}
	for _, i := range list.Items {
		events = append(events, i.ID+" "+i.Event)
	}
	return list.Total, events
}

func TestCommand_NotificationsByID(t *testing.T) {
	s, clock := newServer(t, Options{ReadRate: 1})
	status(t, s, "/messages", message("1", maria))
	clock.pass(time.Minute)
	for query, want := range map[string][]string{
		"id=1":                   {"1 accepted", "1 dispatched", "1 received", "1 consumed"},
		"id=1&$skip=1&$take=2":   {"1 dispatched", "1 received"},
		"id=1&%24skip=3":         {"1 consumed"},
		"id=1&$skip=9":           nil,
		"id=2":                   nil,
		"id=1&$take=100&$skip=0": {"1 accepted", "1 dispatched", "1 received", "1 consumed"},
	} {
		total, got := items(t, s, query)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
		if strings.HasPrefix(query, "id=1") && total != 4 {
			t.Errorf("%s: total = %d, want 4", query, total)
		}
	}
}

func TestFaults_DisturbReceipts(t *testing.T) {
	got := func(f Faults) []string {
		s, clock := newServer(t, Options{ReadRate: 1, Faults: f})
		status(t, s, "/messages", message("1", maria))
		clock.pass(time.Minute)
		_, list := items(t, s, "id=1")
		if _, again := items(t, s, "id=1"); !cmp.Equal(list, again) {
			t.Errorf("asked twice: %v, then %v", list, again)
		}
		return list
	}
	if diff := cmp.Diff([]string{"fwd:1 accepted", "fwd:1 dispatched", "fwd:1 received", "fwd:1 consumed"}, got(Faults{ForwardedIDs: 1})); diff != "" {
		t.Errorf("forwarded (-want +got):\n%s", diff)
	}
	if list := got(Faults{DuplicateEvents: 1}); len(list) != 8 || list[0] != list[1] {
		t.Errorf("duplicates: %v, want each twice", list)
	}
	list := got(Faults{Reorder: true})
	if len(list) != 4 || list[0] == "1 accepted" && list[1] == "1 dispatched" && list[2] == "1 received" {
		t.Errorf("reordered: %v, want four in another order", list)
	}
}
