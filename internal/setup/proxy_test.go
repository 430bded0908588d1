package setup

import (
	"net/http"
	"testing"

	"pombo/internal/config"
)

func TestProxy(t *testing.T) {
	t.Parallel()
	with := Proxy(config.Network{Proxy: "http://u:p@proxy:3128", NoProxy: "erp.example.com,.local,10.0.0.0/8"})
	for address, want := range map[string]bool{
		"https://http.msging.net/messages":  true,
		"https://www.erp.example.org/pombo": true,
		"https://erp.example.com/pombo":     false,
		"https://a.erp.example.com/pombo":   false,
		"https://erp.local/pombo":           false,
		"https://10.1.2.3/pombo":            false,
		"http://127.0.0.1:5100/messages":    false,
		"https://localhost:8443/pombo":      false,
	} {
		r, err := http.NewRequest(http.MethodPost, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		u, err := with(r)
		if err != nil || (u != nil) != want || want && u.Host != "proxy:3128" {
			t.Errorf("%s goes by %v, %v, want by the proxy: %v", address, u, err, want)
		}
		if u, err := Proxy(config.Network{})(r); u != nil || err != nil {
			t.Errorf("%s without a proxy goes by %v, %v", address, u, err)
		}
	}
}
