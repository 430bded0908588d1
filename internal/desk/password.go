package desk

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"pombo"
)

// The cost of a password: what OWASP asks for at least. A hashing takes 19 MiB, so few
// go on at the same time.
const (
	hashings   = 2
	hashMemory = 19 << 10 // KiB
	hashTime   = 2
	hashLanes  = 1
	hashSalt   = 16
	hashLength = 32
)

// A password has no rules of composition: they make people write it down.
const (
	minPassword = 12
	maxPassword = 256 // bytes
)

// hashPassword returns the password in the form of the password hashing competition.
func (s *Server) hashPassword(ctx context.Context, password pombo.Private) (pombo.Private, error) {
	if err := s.takeHashing(ctx); err != nil {
		return "", err
	}
	defer func() { <-s.hashing }()
	return hash(password), nil
}

func hash(password pombo.Private) pombo.Private { return hashAt(password, hashMemory, hashTime) }

// hashAt hashes at a cost of its own.
func hashAt(password pombo.Private, memory, time uint32) pombo.Private {
	salt := make([]byte, hashSalt)
	_, _ = rand.Read(salt) // never fails
	sum := argon2.IDKey([]byte(password.Reveal()), salt, time, memory, hashLanes, hashLength)
	text := base64.RawStdEncoding.EncodeToString
	return pombo.Private(fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, time, hashLanes, text(salt), text(sum)))
}

// standinHash is checked when there is no account or it has no password, so that the
// time of an answer does not tell names that are there from those that are not. It is
// made once in a process.
var standinHash = sync.OnceValues(func() (string, error) {
	text := hash(pombo.Private(random())).Reveal()
	_, err := parseHash(text)
	return text, err
})

// samePassword reports whether the hash is that of the password. It always hashes once;
// an empty hash is that of no password.
func (s *Server) samePassword(ctx context.Context, known, password pombo.Private) (bool, error) {
	if err := s.takeHashing(ctx); err != nil {
		return false, err
	}
	defer func() { <-s.hashing }()
	text, usable := known.Reveal(), true
	if text == "" {
		text, usable = s.standin, false
	}
	h, err := parseHash(text)
	if err != nil {
		return false, err
	}
	given := password.Reveal()
	if len(given) > maxPassword {
		given, usable = "", false
	}
	sum := argon2.IDKey([]byte(given), h.salt, h.time, h.memory, h.lanes, uint32(len(h.sum)))
	return subtle.ConstantTimeCompare(sum, h.sum) == 1 && usable, nil
}

func (s *Server) takeHashing(ctx context.Context) error {
	select {
	case s.hashing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

type parsedHash struct {
	memory, time uint32
	lanes        uint8
	salt, sum    []byte
}

// parseHash reads a hash. Its costs may differ from today's, within bounds: write
// access to the ledger must not allow using up the memory.
func parseHash(text string) (h parsedHash, err error) {
	bad := errors.New("a password in the ledger is not in a form that is known")
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, bad
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.time, &h.lanes); err != nil || h.memory > 256<<10 || h.time < 1 || h.time > 16 || h.lanes < 1 {
		return h, bad
	}
	var errSalt, errSum error
	h.salt, errSalt = base64.RawStdEncoding.DecodeString(parts[4])
	h.sum, errSum = base64.RawStdEncoding.DecodeString(parts[5])
	if errSalt != nil || errSum != nil || len(h.salt) < 8 || len(h.sum) < 16 || len(h.sum) > 64 {
		return h, bad
	}
	return h, nil
}

// weakPassword returns the key of what is wrong with a new password; "" = it will do.
func weakPassword(password pombo.Private, name string) string {
	text := password.Reveal()
	switch {
	case utf8.RuneCountInString(text) < minPassword:
		return "password.short"
	case len(text) > maxPassword:
		return "password.long"
	case guessable(strings.ToLower(text), strings.ToLower(name)):
		return "password.common"
	}
	return ""
}

// guessable reports whether a password is what is tried first: words of the list, the
// own name or the program's, with digits and signs round them, or keys that lie side by
// side.
func guessable(text, name string) bool {
	for _, word := range append([]string{name, "pombo"}, commonWords...) {
		if len(word) > 2 {
			text = strings.ReplaceAll(text, word, "")
		}
	}
	kinds := map[rune]bool{}
	letters, side := 0, 0 // side by side: on the keyboard, in the alphabet, or the same again
	before := ' '
	for _, r := range text {
		if !unicode.IsLetter(r) {
			continue
		}
		if r >= before-1 && r <= before+1 || strings.Contains(keyboard, string([]rune{before, r})) {
			side++
		}
		kinds[r] = true
		letters++
		before = r
	}
	return len(kinds) < 4 || side >= letters-2
}

const keyboard = "qwertyuiop-asdfghjklç-zxcvbnm"

// commonWords are what the passwords consist of that are found most often in stolen
// lists, in Brazil and elsewhere, without the digits behind them.
var commonWords = []string{
	"senha", "password", "passw0rd", "admin", "administrador", "administrator", "mudar", "trocar", "acesso", "entrar", "login", "welcome", "bemvindo", "letmein",
	"hospital", "clinica", "saude", "brasil", "brazil", "flamengo", "corinthians", "palmeiras", "saopaulo", "gremio", "vasco", "cruzeiro", "atletico",
	"santos", "jesus", "cristo", "deus", "deusefiel", "familia", "amor", "teamo", "iloveyou", "eusou", "gabriel", "rafael", "maria", "jose", "joao", "lucas", "felipe",
	"princesa", "sunshine", "princess", "dragon", "monkey", "football", "baseball", "superman", "batman", "master", "shadow", "michael", "mudar123", "teste", "test",
	"whatsapp", "blip", "qwerty", "segredo", "secret", "changeme", "default", "temp", "usuario", "user", "empresa", "company", "verao", "inverno", "summer", "winter",
}
