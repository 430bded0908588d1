package oracletest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // what 10g has
	"crypto/md5" //nolint:gosec // what 11g has
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // what 11g has
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Verifier is the form in which a database stores a password, by the number that it sends
// to the client.
type Verifier int

// The verifiers that are still in use.
const (
	Verifier10g Verifier = 2361  // DES over the upper-cased name and password
	Verifier11g Verifier = 6949  // SHA-1 with salt
	Verifier12c Verifier = 18453 // PBKDF2 with SHA-512
)

// AccountStatus is what DBA_USERS says about an account.
type AccountStatus int

// The states of an account that its owner notices.
const (
	AccountOpen     AccountStatus = iota
	AccountLocked                 // ORA-28000
	AccountExpired                // ORA-28001
	AccountExpiring               // the login works and carries the warning ORA-28002
)

// maxWrong is FAILED_LOGIN_ATTEMPTS of the default profile: that many wrong
// passwords in a row lock the account.
const maxWrong = 10

// SetAccount changes the state of the account, and forgives wrong passwords.
func (d *Double) SetAccount(s AccountStatus) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.account, d.wrong = s, 0
}

// SetExpiry sets when the account's password expires, for USER_USERS. The login ignores it;
// see SetAccount.
func (d *Double) SetExpiry(at time.Time) {
	d.store.mu.Lock()
	defer d.store.mu.Unlock()
	d.store.expiry = at
}

// WrongLogins returns how many wrong passwords came in a row.
func (d *Double) WrongLogins() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.wrong
}

// admit decides on a login whose password has been checked.
func (d *Double) admit(right bool) *Error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.account == AccountLocked {
		return Errorf(28000, "the account is locked")
	}
	if !right {
		if d.wrong++; d.wrong >= maxWrong {
			d.account = AccountLocked
		}
		return Errorf(1017, "invalid username/password; logon denied")
	}
	d.wrong = 0
	if d.account == AccountExpired {
		return Errorf(28001, "the password has expired")
	}
	return nil
}

func (d *Double) expiring() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.account == AccountExpiring
}

// login is one run of O5LOGON: the server proves that it has the verifier, the
// client that it has the password, and neither sends it in the clear.
type login struct {
	user, password string
	verifier       Verifier
	pbkdf2         bool

	salt, mixSalt []byte
	verifierKey   []byte // encrypts both halves of the session key
	half          []byte // the server's half
	proof         string // shown to the client once its password was right
}

const (
	verifierRounds = 4096
	mixRounds      = 3
)

func newLogin(user, password string, v Verifier, usePBKDF2 bool) (*login, error) {
	l := &login{user: user, password: password, verifier: v, pbkdf2: usePBKDF2, mixSalt: random(16)}
	switch v {
	case Verifier10g:
		l.verifierKey = append(verifierDES(user, password), make([]byte, 8)...)
		l.half = random(32)
	case Verifier11g:
		l.salt = random(10)
		h := sha1.Sum(append([]byte(password), l.salt...)) //nolint:gosec // see the import
		l.verifierKey = append(h[:], 0, 0, 0, 0)
		l.half = random(48)
		if usePBKDF2 {
			l.half = random(32)
		}
	case Verifier12c:
		l.salt = random(16)
		key, err := pbkdf2.Key(sha512.New, password, slices.Concat(l.salt, []byte("AUTH_PBKDF2_SPEEDY_KEY")), verifierRounds, 64)
		if err != nil {
			return nil, err
		}
		h := sha512.Sum512(append(key, l.salt...))
		l.verifierKey = h[:32]
		l.half = random(32)
	default:
		return nil, fmt.Errorf("there is no verifier %d", v)
	}
	return l, nil
}

// verifierDES is the verifier of 10g: a CBC checksum with a fixed key, and again
// with its result.
func verifierDES(user, password string) []byte {
	var text []byte
	for _, c := range []byte(strings.ToUpper(user + password)) {
		text = append(text, 0, c)
	}
	for len(text)%des.BlockSize != 0 {
		text = append(text, 0)
	}
	sum := []byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}
	for range 2 {
		c, err := des.NewCipher(sum) //nolint:gosec // see the import
		if err != nil {
			panic("oracletest: eight bytes are a DES key: " + err.Error())
		}
		sum = make([]byte, des.BlockSize)
		for i := 0; i < len(text); i += des.BlockSize {
			for j := range sum {
				sum[j] ^= text[i+j]
			}
			c.Encrypt(sum, sum)
		}
	}
	return sum
}

// challenge answers the first half of the login.
func (l *login) challenge(w *writer) {
	n := 2
	if l.pbkdf2 {
		n = 5
	}
	w.byte(messageParameters)
	w.int(n)
	w.pair("AUTH_SESSKEY", upperHex(encrypt(l.verifierKey, l.half)), 0)
	w.pair("AUTH_VFR_DATA", upperHex(l.salt), int(l.verifier))
	if l.pbkdf2 {
		w.pair("AUTH_PBKDF2_CSK_SALT", upperHex(l.mixSalt), 0)
		w.pair("AUTH_PBKDF2_VGEN_COUNT", strconv.Itoa(verifierRounds), 0)
		w.pair("AUTH_PBKDF2_SDER_COUNT", strconv.Itoa(mixRounds), 0)
	}
}

// verify checks the second half against the password. proof convinces the client of the
// server.
func (l *login) verify(sessionKey, encrypted string) (proof string, err error) {
	theirs, err := hex.DecodeString(sessionKey)
	if err != nil || len(theirs) < len(l.half) || len(theirs)%aes.BlockSize != 0 {
		return "", errors.New("the client's half of the session key is damaged")
	}
	key, err := l.mix(decrypt(l.verifierKey, theirs)[:len(l.half)])
	if err != nil {
		return "", err
	}
	cipherText, err := hex.DecodeString(encrypted)
	if err != nil || len(cipherText) < 2*aes.BlockSize || len(cipherText)%aes.BlockSize != 0 {
		return "", errors.New("the encrypted password is damaged")
	}
	text := decrypt(key, cipherText)[aes.BlockSize:] // behind a block of noise
	if pad := int(text[len(text)-1]); pad >= 1 && pad <= aes.BlockSize {
		text = text[:len(text)-pad]
	}
	right := string(text) == l.password
	if l.verifier == Verifier10g {
		right = strings.EqualFold(string(text), l.password)
	}
	if !right {
		return "", errors.New("the password is wrong")
	}
	answer := append(random(16), "SERVER_TO_CLIENT"...)
	answer = append(answer, strings.Repeat("\x10", aes.BlockSize)...)
	return upperHex(encrypt(key, answer)), nil
}

// mix makes the key that encrypts the password of both halves.
func (l *login) mix(theirs []byte) ([]byte, error) {
	if l.pbkdf2 {
		take, size := len(l.half), 32
		switch l.verifier {
		case Verifier10g:
			take, size = 16, 16
		case Verifier11g:
			take, size = 24, 24
		}
		return pbkdf2.Key(sha512.New, upperHex(slices.Concat(theirs[:take], l.half[:take])), l.mixSalt, mixRounds, size)
	}
	mixed := make([]byte, 24)
	for i := range mixed {
		if 16+i < len(l.half) {
			mixed[i] = l.half[16+i] ^ theirs[16+i]
		}
	}
	first := md5.Sum(mixed[:16]) //nolint:gosec // see the import
	if l.verifier == Verifier10g {
		return first[:], nil
	}
	second := md5.Sum(mixed[16:]) //nolint:gosec // see the import
	return append(first[:], second[:8]...), nil
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

func upperHex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

func encrypt(key, text []byte) []byte {
	out := make([]byte, len(text))
	cipher.NewCBCEncrypter(block(key), make([]byte, aes.BlockSize)).CryptBlocks(out, text) //nolint:gosec // the protocol has no other
	return out
}

func decrypt(key, text []byte) []byte {
	out := make([]byte, len(text))
	cipher.NewCBCDecrypter(block(key), make([]byte, aes.BlockSize)).CryptBlocks(out, text)
	return out
}

func block(key []byte) cipher.Block {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic("oracletest: keys have 16, 24 or 32 bytes: " + err.Error())
	}
	return b
}

// loginHead reads what both halves of a login begin with.
func loginHead(r *reader) (user string, pairs map[string]string, err error) {
	named := r.byte() == 1
	r.int() // length of the name, which follows with the name again
	r.int() // mode
	r.skip(1)
	n := r.count(100)
	r.skip(2)
	if named {
		user = string(r.value())
	}
	pairs = map[string]string{}
	for range n {
		k := r.text()
		pairs[k] = r.text()
		r.int()
	}
	return user, pairs, r.end()
}

// loginFirst answers the name with a challenge, whether or not there is such an account: a
// server does not reveal it.
func (s *session) loginFirst(r *reader) error {
	user, pairs, err := loginHead(r)
	if err != nil {
		return err
	}
	s.d.mu.Lock()
	s.info.Program = pairs["AUTH_PROGRAM_NM"]
	s.d.mu.Unlock()
	if s.login, err = newLogin(user, s.d.o.Password, s.d.o.Verifier, s.d.release.pbkdf2); err != nil {
		return err
	}
	var refusal error
	if code := s.d.refusal.Load(); code != 0 {
		refusal = Errorf(int(code), "ORACLE not available")
	}
	return s.call(Call{Step: Login}, func(_ *work) error { return refusal }, func(w *writer) {
		s.login.challenge(w)
		s.result(w, result{})
	})
}

func (s *session) loginSecond(r *reader) error {
	user, pairs, err := loginHead(r)
	if err != nil {
		return err
	}
	if s.login == nil {
		return errors.New("the second half of a login without the first")
	}
	err = s.call(Call{Step: Login}, func(*work) error { return s.logOn(user, pairs) }, func(w *writer) {
		w.byte(messageParameters)
		properties := s.properties()
		w.int(len(properties))
		for _, p := range properties {
			w.pair(p[0], p[1], 0)
		}
		if s.d.expiring() {
			const warning = "ORA-28002: the password will expire soon\n"
			w.byte(messageWarning)
			w.int(28002, len(warning), 0)
			w.value([]byte(warning))
		}
		s.result(w, result{})
	})
	if err == nil && !s.on {
		err = errCut // a server hangs up on a failed login
	}
	return err
}

func (s *session) logOn(user string, pairs map[string]string) error {
	proof, err := s.login.verify(pairs["AUTH_SESSKEY"], pairs["AUTH_PASSWORD"])
	if e := s.d.admit(err == nil && strings.EqualFold(user, s.d.o.User)); e != nil {
		return e
	}
	s.login.proof, s.on = proof, true
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.info.User, s.info.Driver = strings.ToUpper(user), pairs["SESSION_CLIENT_DRIVER_NAME"]
	return nil
}

// properties returns what a server says about itself after a login.
func (s *session) properties() [][2]string {
	return [][2]string{
		{"AUTH_VERSION_STRING", "- Production"},
		{"AUTH_VERSION_SQL", "26"},
		{"AUTH_XACTION_TRAITS", "3"},
		{"AUTH_VERSION_NO", strconv.FormatUint(uint64(s.d.release.number), 10)},
		{"AUTH_VERSION_STATUS", "0"},
		{"AUTH_CAPABILITY_TABLE", ""},
		{"AUTH_DBNAME", s.d.o.Service},
		{"AUTH_SESSION_ID", strconv.Itoa(s.info.ID)},
		{"AUTH_SERIAL_NUM", "1"},
		{"AUTH_INSTANCE_NO", "1"},
		{"AUTH_FAILOVER_ID", ""},
		{"AUTH_SERVER_PID", "1"},
		{"AUTH_SC_SERVER_HOST", "double"},
		{"AUTH_SC_DBUNIQUE_NAME", s.d.o.Service},
		{"AUTH_SC_INSTANCE_NAME", s.d.o.SID},
		{"AUTH_SC_SERVICE_NAME", s.d.o.Service},
		{"AUTH_SC_DB_DOMAIN", ""},
		{"AUTH_MAX_OPEN_CURSORS", "300"},
		{"AUTH_SVR_RESPONSE", s.login.proof},
	}
}
