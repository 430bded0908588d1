package source

import (
	"time"

	"github.com/sijms/go-ora/v2/network"
)

// SetOracleClock sets the clock by which logins are refused and idle connections
// asked whether they live. It must be set before the first use.
func SetOracleClock(t *Table, now func() time.Time) { t.dialect.(*oracleDialect).gate.now = now }

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

// OracleMeaning returns the class of an ORA code and what is said of it.
func OracleMeaning(code int) (class, says, hint string) {
	v := (&oracleDialect{m: &ParsedMapping{}, address: &oracleAddress{user: "pombo"}}).Explain(&oracleError{code: code})
	class = []string{Transient: "away", Locked: "busy", Permanent: "person", Refused: "refused"}[v.Class]
	if isLost(oracleFault(network.NewOracleError(code))) {
		class = "lost"
	}
	return class, (&oracleError{code: code}).Error(), v.Hint
}
