package oracle

import (
	"github.com/sijms/go-ora/v2/network"

	"pombo/internal/source"
)

// Aliases reads the text of a tnsnames.ora.
func Aliases(content string) map[string]string {
	found := map[string]string{}
	for _, a := range parseAliases(content) {
		for _, n := range a.names {
			found[n] = a.descriptor
		}
	}
	return found
}

// Meaning returns the class of an ORA code and what is said of it.
func Meaning(code int) (class, says, hint string) {
	v := (&dialect{mapping: &source.ParsedMapping{}, address: &address{user: "pombo"}}).Explain(&serverError{code: code})
	class = []string{source.Transient: "away", source.Locked: "busy", source.Permanent: "person", source.Refused: "refused"}[v.Class]
	if isLost(sanitize(network.NewOracleError(code))) {
		class = "lost"
	}
	return class, (&serverError{code: code}).Error(), v.Hint
}
