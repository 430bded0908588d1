package pombo

import "testing"

func TestCountVariables(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "Olá": 0, "Olá {{1}}, {{2}}. {{1}}!": 2, "{{ nome }} e {{nome}}": 1, "{{}} {1} {{a b}}": 0, "https://example.com/{{1}}": 1,
	} {
		if got := CountVariables(text); got != want {
			t.Errorf("CountVariables(%q) = %d, want %d", text, got, want)
		}
	}
}
