package oracle

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
)

// panics turns panics of the driver into errors, and counts them.
type panics struct{ count atomic.Int64 }

// panicError is that the driver panicked.
type panicError struct {
	where string // a function of the driver, and what the runtime said; never what the server sent
	count int64
}

func (e *panicError) Error() string {
	s := "the driver stumbled over what the database sent (" + e.where + ")"
	if e.count > 1 {
		s += fmt.Sprintf(", for the %d. time", e.count)
	}
	return s
}

// survive runs something of the driver's. After a panic nothing is known of the
// connection.
func (p *panics) run(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &lostError{err: &panicError{where: panicSite(v), count: p.count.Add(1)}}
		}
	}()
	return f()
}

// panicPlace names the function that panicked. The words of a panic are told when they
// are the runtime's: others might quote a row.
func panicSite(v any) string {
	where := "unknown"
	callers := make([]uintptr, 32)
	frames := runtime.CallersFrames(callers[:runtime.Callers(4, callers)]) // behind the recovery
	for {
		frame, more := frames.Next()
		if name := frame.Function; !strings.HasPrefix(name, "runtime.") && name != "" {
			where = name[strings.LastIndexByte(name, '/')+1:]
			break
		}
		if !more {
			break
		}
	}
	if said, ok := v.(runtime.Error); ok {
		where += ": " + said.Error()
	}
	return where
}
