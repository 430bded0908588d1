package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"pombo"
	"pombo/internal/api"
)

// TestList_ContinuesAfterAShortPage: a page with fewer than wanted is not the end of the list.
func TestList_ContinuesAfterAShortPage(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("cursor")+"/"+r.URL.Query().Get("limit"))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, map[string]string{
			"":  `{"notifications":[],"next_cursor":"a","unreadable":1}`,
			"a": `{"notifications":[{"row":"1"}],"next_cursor":"b"}`,
			"b": `{"notifications":[{"row":"2"},{"row":"3"}],"next_cursor":"c","unreadable":2}`,
		}[r.URL.Query().Get("cursor")])
	}))
	defer server.Close()
	list, err := collect(t.Context(), api.NewClient(server.URL, "", server.Client()), pombo.Filter{Limit: 3})
	if err != nil || len(list.Notifications) != 3 || list.NextCursor != "c" || list.Unreadable != 3 {
		t.Errorf("list = %+v, %v; want three, the last cursor and all that is left out", list, err)
	}
	if want := []string{"/3", "a/3", "b/2"}; !slices.Equal(asked, want) {
		t.Errorf("asked = %v, want %v", asked, want)
	}
}
