package postgrestest

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// packed is the cluster as initdb has made it the first time, in a file that has lost its
// name and goes away with this process. To unpack it takes a fraction of initdb's time.
// All servers of a process so have one system identifier, as those have that were copied
// from one machine to the next.
var packed struct {
	sync.Mutex
	file *os.File
}

// makeCluster makes the folder that the server runs on.
func (s *Server) makeCluster() error {
	if err := handOver(s.folder); err != nil {
		return err
	}
	packed.Lock()
	defer packed.Unlock()
	if packed.file != nil {
		return unpack(packed.file, s.data())
	}
	if err := s.initdb(); err != nil {
		return err
	}
	var err error
	packed.file, err = pack(s.data())
	return err
}

func (s *Server) initdb() error {
	secret := filepath.Join(s.folder, "password")
	verifier, err := scramVerifier(Password)
	if err == nil {
		err = writeFor(secret, verifier)
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"), "--pgdata", s.data(), "--username", User, "--pwfile", secret,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	c.Dir = s.folder
	prepare(c)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return os.Remove(secret)
}

// scramVerifier returns what the server keeps of a password (RFC 5803). It is hashed once
// and not 4096 times, which both sides would do anew for each of the thousands of
// connections of a suite.
func scramVerifier(password string) (string, error) {
	const rounds = 1
	salt := []byte("salt of the tests")
	salted, err := pbkdf2.Key(sha256.New, password, salt, rounds, sha256.Size)
	if err != nil {
		return "", err
	}
	of := func(text string) []byte {
		h := hmac.New(sha256.New, salted)
		_, _ = io.WriteString(h, text) // a hash takes all
		return h.Sum(nil)
	}
	stored := sha256.Sum256(of("Client Key"))
	base64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", rounds, base64(salt), base64(stored[:]), base64(of("Server Key"))), nil
}

// pack copies a folder into a file without a name.
func pack(folder string) (file *os.File, err error) {
	if file, err = os.CreateTemp("", "pombo-postgres-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
		}
	}()
	if err := os.Remove(file.Name()); err != nil {
		return nil, err
	}
	buffered := bufio.NewWriterSize(file, 1<<20)
	w := tar.NewWriter(buffered)
	return file, errors.Join(w.AddFS(os.DirFS(folder)), w.Close(), buffered.Flush())
}

// unpack makes the folder anew for the server's account.
func unpack(file *os.File, folder string) error {
	if err := makeFor(folder); err != nil {
		return err
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	r := tar.NewReader(bufio.NewReaderSize(io.NewSectionReader(file, 0, size), 1<<20))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		path := filepath.Join(folder, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			err = makeFor(path)
		} else {
			err = copyFor(path, r)
		}
		if err != nil {
			return err
		}
	}
}

// makeFor makes a folder for the server's account.
func makeFor(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	return handOver(path)
}

// copyFor writes a file for the server's account.
func copyFor(path string, from io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close(), handOver(path))
}
