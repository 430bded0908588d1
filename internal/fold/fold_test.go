package fold_test

import (
	"testing"

	"pombo/internal/fold"
)

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"SAIR": "sair", " Não! ": "nao", "CONFIRMAR.": "confirmar", "não quero": "nao quero", "👍": "👍", " !? ": "!?", "": "",
		"Confirmação": "confirmacao", "Confirmac\u0327a\u0303o": "confirmacao", "Sim 👍": "sim",
	} {
		if got := fold.Text(text); got != want {
			t.Errorf("Text(%q) = %q, want %q", text, got, want)
		}
	}
}
