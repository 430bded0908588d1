// Package secretfile writes and reads the files in which secrets are kept one by one.
//
// Such a file holds the secret and a line end, readable by few. On Windows it is
// encrypted as well, by the machine (DPAPI): a copy of it, or of the whole disk, is
// useless elsewhere. An administrator of the machine can still read it.
package secretfile

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// mark is the first line of an encrypted file. The head of what Windows returns is not
// documented, so it cannot serve.
const mark = "pombo-dpapi 1"

// Errors of Open. They continue the sentence "the file …".
var (
	ErrForeign = errors.New("was encrypted on another machine or for another name, or was changed since")
	ErrSystem  = errors.New("is encrypted by Windows, and this is another system")
)

// Path returns where the secret of a name is kept, beside the file of the settings.
func Path(settings, name string) string {
	path := filepath.Join(filepath.Dir(settings), "secrets", name)
	if runtime.GOOS == "windows" {
		path += ".dpapi"
	}
	return path
}

// Open returns the secret in the text of a file; one that is not encrypted is returned
// as it is. The name is part of the encryption: the file of one secret does not serve
// as that of another.
func Open(name, text string) (string, error) {
	first, rest, _ := strings.Cut(text, "\n")
	if strings.TrimSpace(first) != mark {
		return text, nil
	}
	sealed, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(rest), ""))
	if err != nil {
		return "", ErrForeign
	}
	secret, err := unseal(name, sealed)
	return string(secret), err
}

// Write keeps a secret in a file, in place of an older one. On Windows it is encrypted
// for this machine. The file can be read by those who can read the settings, as far as
// they are Pombo and administrators, and by nobody else.
func Write(path, settings, name, secret string) (err error) {
	folder := filepath.Dir(path)
	if err := makeFolder(folder, settings); err != nil {
		return err
	}
	content, err := seal(name, secret)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the error says enough
		}
	}()
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := protect(f.Name(), settings); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
