package api

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pombo"
	"pombo/internal/phone"
)

const addTo = "/api/v1/notifications"

func TestAdd_TakesIn(t *testing.T) {
	w := newFixture(t)
	body := `{"phone":"(31) 98888-0042","params":["Maria das Dores",{"slot":"header-image","value":"https://x.example/a.png"},{"value":"b"}],
		"template":"aviso","priority":9.0,"send_after":"2026-11-23t12:00:00-03:00","expires":"2026-11-24T12:00:00-03:00"}`
	rec := w.ask("POST", addTo, body, "Idempotency-Key", "order 1")
	checkStatus(t, rec, http.StatusCreated)
	if got, want := rec.Header().Get("Location"), addTo+"/"+string(testID); got != want {
		t.Errorf("Location = %q, want %q", got, want)
	}
	number, err := phone.FromE164(plantedPhone)
	if err != nil {
		t.Fatal(err)
	}
	want := pombo.Row{
		RowKey: "order 1", Recipient: "(31) 98888-0042", Phone: number, Template: "aviso", Priority: 9,
		Params:    []pombo.Param{{Slot: pombo.Body, Value: plantedName}, {Slot: pombo.HeaderImage, Value: "https://x.example/a.png"}, {Slot: pombo.Body, Value: "b"}},
		SendAfter: today.Add(5 * 3600e9), Expires: today.Add(29 * 3600e9),
	}
	if diff := cmp.Diff(want, w.added["order 1"]); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
}

func TestAdd_SameKeyTwice(t *testing.T) {
	w := newFixture(t)
	first := `{"phone":"31988880042","params":["a"],"priority":3,"send_after":"2026-12-01T00:00:00.0009Z","expires":"2026-12-02T00:00:00Z"}`
	checkStatus(t, w.ask("POST", addTo, first, "Idempotency-Key", "k"), http.StatusCreated)
	again := w.ask("POST", addTo, first, "Idempotency-Key", "k")
	checkStatus(t, again, http.StatusOK)
	if got := again.Header().Get("Location"); got != "" {
		t.Errorf("Location = %q for a known key, want none", got)
	}
	for name, change := range map[string][2]string{
		"phone":      {"0042", "0043"},
		"params":     {`"a"`, `"b"`},
		"template":   {`"priority"`, `"template":"other","priority"`},
		"priority":   {`:3`, `:9`},
		"send_after": {"2026-12-01", "2026-11-30"},
		"now":        {`"send_after":"2026-12-01T00:00:00.0009Z",`, ""},
		"expires":    {"2026-12-02T00", "2026-12-02T01"},
		"never":      {`,"expires":"2026-12-02T00:00:00Z"`, ""},
	} {
		other := strings.Replace(first, change[0], change[1], 1)
		rec := w.ask("POST", addTo, other, "Idempotency-Key", "k")
		if rec.Code != http.StatusUnprocessableEntity || !strings.Contains(rec.Body.String(), "another message") {
			t.Errorf("same key, other %s: %d %s, want 422", name, rec.Code, rec.Body)
		}
	}
	if len(w.added) != 1 {
		t.Errorf("messages = %d, want 1", len(w.added))
	}
}

func TestAdd_WithoutKey(t *testing.T) {
	w := newFixture(t)
	for range 3 {
		checkStatus(t, w.ask("POST", addTo, `{"phone":"31988880042"}`), http.StatusCreated)
	}
	if len(w.added) != 3 {
		t.Errorf("messages = %d, want each its own", len(w.added))
	}
}

func TestAdd_RefusesBadFields(t *testing.T) {
	tests := []struct {
		name, body string
		want       []FieldError // by field; a detail is part of the whole one
	}{
		{"empty", `{}`, []FieldError{{"phone", "is missing"}}},
		{"null phone", `{"phone":null}`, []FieldError{{"phone", "is missing"}}},
		{"phone is a number", `{"phone":5531988880042}`, []FieldError{{"phone", "must be text"}}},
		{"phone is none", `{"phone":"Maria das Dores"}`, []FieldError{{"phone", ""}}},
		{"all at once", `{"phone":"1","params":[1,{"slot":"Maria das Dores","value":"x"},{"slot":"body"},null,"a\u0000"],"template":5,"priority":10,"send_after":"now","expires":"2020-01-01T00:00:00Z","telephone":"x","5531988880042":1}`,
			[]FieldError{{"phone", ""}, {"params[0]", "must be text or"}, {"params[1]", "slot must be"}, {"params[2]", "must be text or"}, {"params[3]", "must be text or"}, {"params[4]", "NUL"},
				{"template", "name"}, {"priority", "0 to 9"}, {"send_after", "2026-11-23T"}, {"expires", "over already"}, {"body", "not a member"}, {"telephone", "there are phone"}}},
		{"fraction", `{"phone":"31988880042","priority":1.5}`, []FieldError{{"priority", "whole number"}}},
		{"unknown in param", `{"phone":"31988880042","params":[{"value":"x","plaec":"header"}]}`, []FieldError{{"params[0]", "must be text or"}}},
		{"order of times", `{"phone":"31988880042","send_after":"2026-12-02T00:00:00Z","expires":"2026-12-01T00:00:00Z"}`, []FieldError{{"expires", "before send_after"}}},
		{"times that mean never", `{"phone":"31988880042","send_after":"9999-12-31T23:59:59-03:00","expires":"9999-12-31T23:59:59Z"}`,
			[]FieldError{{"send_after", "100 years"}, {"expires", "100 years"}}},
		{"a name for a template", `{"phone":"31988880042","template":"Maria das Dores 5531988880042"}`, []FieldError{{"template", "lower-case"}}},
		{"capitals in a slot", `{"phone":"31988880042","params":[{"slot":"BODY","value":"x"}]}`, []FieldError{{"params[0]", "slot must be"}}},
		{"params no list", `{"phone":"31988880042","params":"Maria das Dores"}`, []FieldError{{"params", "must be a list"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newFixture(t)
			rec := w.ask("POST", addTo, tt.body)
			checkStatus(t, rec, http.StatusUnprocessableEntity)
			got := decode[Problem](t, rec).Errors
			if len(got) != len(tt.want) {
				t.Fatalf("errors = %+v, want %d", got, len(tt.want))
			}
			for i, want := range tt.want {
				if got[i].Field != want.Field || !strings.Contains(got[i].Detail, want.Detail) {
					t.Errorf("error %d = %+v, want %+v", i, got[i], want)
				}
			}
			if len(w.added) > 0 {
				t.Error("it was taken in all the same")
			}
		})
	}
	for name, key := range map[string]string{"long": strings.Repeat("k", maxKey+1), "accent": "é"} {
		rec := newFixture(t).ask("POST", addTo, `{"phone":"31988880042"}`, "Idempotency-Key", key)
		if rec.Code != http.StatusUnprocessableEntity || !strings.Contains(rec.Body.String(), "Idempotency-Key") {
			t.Errorf("%s key: %d %s, want 422", name, rec.Code, rec.Body)
		}
	}
}

func FuzzAdd(f *testing.F) {
	f.Add([]byte(`{"phone":"31988880042","params":["a",{"slot":"header","value":"b"}],"priority":1,"send_after":"2026-12-02T00:00:00Z"}`))
	f.Add([]byte(`{"phone":1,"params":{},"x":null}`))
	w := newFixture(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest("POST", "http://localhost"+addTo, bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		w.server.ServeHTTP(rec, r)
		if rec.Code >= 500 {
			t.Errorf("status = %d for %q", rec.Code, body)
		}
		for _, row := range w.added {
			if row.Phone.IsZero() {
				t.Errorf("taken in without a phone: %q", body)
			}
			delete(w.added, row.RowKey)
		}
	})
}
