package access

import "testing"

func TestServiceSID(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"TrustedInstaller": "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464", // Windows' own, known everywhere
		"pombo":            "S-1-5-80-1186145496-2513009144-2993342305-3571717426-2937514006",
		"Pombo":            "S-1-5-80-1186145496-2513009144-2993342305-3571717426-2937514006",
	} {
		if got := ServiceSID(name); got != want {
			t.Errorf("ServiceSID(%q) = %s, want %s", name, got, want)
		}
	}
}
