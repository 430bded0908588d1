// Package pombo holds the nouns and the rules of a program that takes the
// notifications which a company's systems write into a database table and
// delivers them on WhatsApp through Blip, each row once.
//
// The invariants are here, without any input or output: which
// states there are and how one may follow another (state.go), how the id of a
// message comes from its row (id.go), which reasons there are and what to do
// about each (reason.go), and what must be known before a second POST may be
// made (error.go). The rooms are below internal/, in layers, and imports go downward
// only (.golangci.yml has the rule): the roads that a notification travels, what the
// roads share, and what talks to the outside. All speak in these types.
//
// docs/how-a-notification-travels.md follows one row through the folders.
package pombo
