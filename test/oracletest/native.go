package oracletest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math/big"
	"slices"
)

// The services of a native negotiation, and the algorithms that the double knows.
const (
	serviceAuthentication = 1
	serviceEncryption     = 2
	serviceIntegrity      = 3
	serviceSupervisor     = 4

	algorithmAES256 = 17
	algorithmSHA256 = 5
)

// nativeOffer is what a client says in the negotiation: the algorithms that it knows,
// by service.
type nativeOffer struct {
	algorithms map[int][]byte
	publicKey  []byte // the client's, in its second message
}

// takeNative reads a message of the negotiation, after its first byte.
func takeNative(r *reader) nativeOffer {
	r.skip(3) // the rest of the mark 0xDEADBEEF
	r.uint16()
	r.skip(4)
	services := r.uint16()
	r.skip(1)
	o := nativeOffer{algorithms: map[int][]byte{}}
	for range min(services, 8) {
		service, fields := r.uint16(), r.uint16()
		r.skip(4) // an error
		for i := range min(fields, 16) {
			length, kind := r.uint16(), r.uint16()
			v := r.bytes(length)
			switch {
			case kind == 1 && fields == 1:
				o.publicKey = v
			case kind == 1 && i == 1:
				o.algorithms[service] = v
			}
		}
	}
	return o
}

// native answers the negotiation of network services. Without Options.Encrypt it wants
// none; with it, AES256 and SHA256, with keys from a Diffie-Hellman exchange.
func (s *session) native(r *reader) error {
	offer := takeNative(r)
	if r.err != nil {
		return r.err
	}
	encryption, integrity := 0, 0
	code := int(s.d.native.Load())
	knows := func(service, algorithm int) bool { return slices.Contains(offer.algorithms[service], byte(algorithm)) }
	switch {
	case !s.d.o.Encrypt || code != 0:
	case !knows(serviceEncryption, algorithmAES256) || !knows(serviceIntegrity, algorithmSHA256):
		code = 12660
	default:
		encryption, integrity = algorithmAES256, algorithmSHA256
	}
	body := &writer{}
	field := func(kind int, v ...byte) {
		body.uint16(len(v))
		body.uint16(kind)
		body.bytes(v)
	}
	service := func(id, fields int) {
		body.uint16(id)
		body.uint16(fields)
		failed := 0
		if id == serviceEncryption {
			failed = code
		}
		body.uint32(uint32(failed))
		field(5, binary.BigEndian.AppendUint32(nil, s.d.release.number)...) // the version of the service
	}
	service(serviceSupervisor, 3)
	field(6, 0, 31)
	field(1, 0xde, 0xad, 0xbe, 0xef, 0, 3, 0, 0, 0, 4, 0, 4, 0, 1, 0, 2, 0, 3)
	service(serviceAuthentication, 2)
	field(6, 0xfb, 0xff) // by password alone
	service(serviceEncryption, 2)
	field(2, byte(encryption))
	keys := &nativeKeys{}
	if integrity == 0 {
		service(serviceIntegrity, 2)
		field(2, 0)
	} else {
		var err error
		if keys, err = newNativeKeys(); err != nil {
			return err
		}
		service(serviceIntegrity, 8)
		field(2, byte(integrity))
		bits := len(keys.prime.Bytes()) * 8
		field(3, byte(bits>>8), byte(bits))
		field(3, byte(bits>>8), byte(bits))
		field(1, keys.generator.Bytes()...)
		field(1, keys.prime.Bytes()...)
		field(1, keys.fill(new(big.Int).Exp(keys.generator, keys.secret, keys.prime))...)
		field(1, keys.iv...)
	}
	err := s.call(Call{Step: Negotiate}, nil, func(w *writer) {
		w.uint32(0xdeadbeef)
		w.uint16(13 + len(body.b))
		w.uint32(s.d.release.number)
		w.uint16(4)
		w.byte(0)
		w.bytes(body.b)
	})
	if err != nil || integrity == 0 {
		return err
	}
	// The client's half follows, and everything behind it is encrypted.
	p, err := s.line.next()
	if err != nil {
		return err
	}
	if p.kind != packetData || len(p.body) < 3 || p.body[2] != messageNative {
		return fmt.Errorf("a packet of kind %d in place of the client's public key", p.kind)
	}
	answer := &reader{b: p.body[3:], more: s.line.nextData}
	second := takeNative(answer)
	if answer.err != nil || len(second.publicKey) == 0 {
		return errors.Join(answer.err, errors.New("the client sends no public key"))
	}
	shared := keys.fill(new(big.Int).Exp(new(big.Int).SetBytes(second.publicKey), keys.secret, keys.prime))
	s.d.mu.Lock()
	s.info.Encrypted = true
	s.d.mu.Unlock()
	s.line.cipher, err = newNativeCipher(shared, keys.iv)
	return err
}

// nativeKeys are the server's half of the exchange.
type nativeKeys struct {
	generator, prime, secret *big.Int
	iv                       []byte
}

func newNativeKeys() (*nativeKeys, error) {
	// The prime of group 1 of RFC 2409; here it does not matter that it is short.
	prime, _ := new(big.Int).SetString("FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A63A3620FFFFFFFFFFFFFFFF", 16)
	secret, err := rand.Int(rand.Reader, prime)
	if err != nil {
		return nil, err
	}
	return &nativeKeys{generator: big.NewInt(2), prime: prime, secret: secret, iv: random(32)}, nil
}

// fill writes a number with as many bytes as the prime has.
func (k *nativeKeys) fill(n *big.Int) []byte { return n.FillBytes(make([]byte, len(k.prime.Bytes()))) }

// nativeCipher protects the content of data packets: a checksum over the content and
// over a stream that both sides have, then encryption. Markers go in the clear, and
// after a reset both sides begin a new stream.
type nativeCipher struct {
	block       cipher.Block // AES256, each packet for itself
	hash        hash.Hash
	next        cipher.BlockMode // makes the keys of the streams
	seed        []byte
	in, out     cipher.BlockMode // the streams
	inAt, outAt []byte           // where they are
}

func newNativeCipher(key, iv []byte) (*nativeCipher, error) {
	main, err := aes.NewCipher(key[:32])
	if err != nil {
		return nil, err
	}
	first, err := aes.NewCipher(slices.Concat(key[:5], []byte{0xff}, make([]byte, 10)))
	if err != nil {
		return nil, err
	}
	c := &nativeCipher{
		block: main, hash: sha256.New(), next: cipher.NewCBCEncrypter(first, iv[:16]),
		seed: make([]byte, 32), inAt: make([]byte, sha256.Size), outAt: make([]byte, sha256.Size),
	}
	err = c.renew()
	return c, err
}

// renew begins new streams, after a reset.
func (c *nativeCipher) renew() error {
	c.next.CryptBlocks(c.seed, c.seed)
	key, iv := slices.Clone(c.seed[:16]), slices.Clone(c.seed[16:])
	stream := func() (cipher.BlockMode, error) {
		b, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		return cipher.NewCBCEncrypter(b, iv), nil
	}
	var err error
	if c.next, err = stream(); err != nil {
		return err
	}
	key[5] = 90 // what the client sends
	if c.in, err = stream(); err != nil {
		return err
	}
	key[5] = 180
	c.out, err = stream()
	return err
}

func (c *nativeCipher) sum(content []byte, stream cipher.BlockMode, at []byte) []byte {
	stream.CryptBlocks(at, at)
	c.hash.Reset()
	c.hash.Write(content)
	c.hash.Write(at)
	return c.hash.Sum(nil)
}

// overhead is the most that sealing adds to the content.
const overhead = sha256.Size + aes.BlockSize + 2

func (c *nativeCipher) seal(content []byte) []byte {
	text := append(slices.Clone(content), c.sum(content, c.out, c.outAt)...)
	pad := (aes.BlockSize - len(text)%aes.BlockSize) % aes.BlockSize
	text = append(text, make([]byte, pad)...)
	cipher.NewCBCEncrypter(c.block, make([]byte, aes.BlockSize)).CryptBlocks(text, text) //nolint:gosec // the protocol has no other
	return append(text, byte(pad+1), 0)                                                  // 0 is the key of folding
}

func (c *nativeCipher) open(sealed []byte) ([]byte, error) {
	n := len(sealed) - 2
	if n < sha256.Size || n%aes.BlockSize != 0 {
		return nil, fmt.Errorf("%d encrypted bytes", len(sealed))
	}
	pad := int(sealed[n]) - 1
	text := make([]byte, n)
	cipher.NewCBCDecrypter(c.block, make([]byte, aes.BlockSize)).CryptBlocks(text, sealed[:n])
	if end := n - pad - sha256.Size; pad >= 0 && end >= 0 {
		content := text[:end]
		if bytes.Equal(text[end:n-pad], c.sum(content, c.in, c.inAt)) {
			return content, nil
		}
	}
	return nil, errors.New("an encrypted packet whose checksum is wrong")
}
