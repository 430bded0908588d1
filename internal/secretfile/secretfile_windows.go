package secretfile

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"

	"pombo/internal/access"
)

// serviceName is that of the service whose account reads what an administrator writes.
const serviceName = "pombo"

// blob points at bytes for Windows; b has to live as long.
func blob(b []byte) *windows.DataBlob {
	if len(b) == 0 {
		return &windows.DataBlob{}
	}
	return &windows.DataBlob{Size: uint32(len(b)), Data: &b[0]}
}

// taken copies what Windows has allocated, and frees it.
func taken(b *windows.DataBlob) []byte {
	if b.Data == nil {
		return nil
	}
	out := append([]byte(nil), unsafe.Slice(b.Data, b.Size)...)
	_, _ = windows.LocalFree(windows.Handle(unsafe.Pointer(b.Data))) // nothing can be done about it
	return out
}

func entropy(name string) []byte { return []byte("pombo/" + strings.ToUpper(name)) }

// seal encrypts for the machine, because an administrator writes what the account of
// the service reads.
func seal(name, secret string) ([]byte, error) {
	var out windows.DataBlob
	err := windows.CryptProtectData(blob([]byte(secret)), nil, blob(entropy(name)), 0, nil,
		windows.CRYPTPROTECT_LOCAL_MACHINE|windows.CRYPTPROTECT_UI_FORBIDDEN, &out)
	if err != nil {
		return nil, fmt.Errorf("encrypt the secret (DPAPI): %w", err)
	}
	return []byte(mark + "\n" + base64.StdEncoding.EncodeToString(taken(&out)) + "\n"), nil
}

func unseal(name string, sealed []byte) ([]byte, error) {
	var out windows.DataBlob
	err := windows.CryptUnprotectData(blob(sealed), nil, blob(entropy(name)), 0, nil, windows.CRYPTPROTECT_UI_FORBIDDEN, &out)
	if err != nil {
		return nil, ErrForeign
	}
	return taken(&out), nil
}

// makeFolder makes the folder and shuts it, unless what it inherits has shut it
// already.
func makeFolder(path, settings string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	have, err := access.SDDL(path)
	if err != nil {
		return err
	}
	services := readers(settings)
	if strangers, err := access.Strangers(have, append(access.Accounts(serviceName), services...)...); err == nil && len(strangers) == 0 {
		return nil
	}
	return access.Protect(path, access.Private(services, true))
}

// protect keeps the service from changing what it reads, even in a folder that is its
// own.
func protect(path, settings string) error {
	return access.Protect(path, access.Private(readers(settings), false))
}

// readers returns the accounts of services that read the settings: those that the file
// or its folder lets in, or those that the service pombo has or will have.
func readers(settings string) []string {
	for _, path := range []string{settings, filepath.Dir(settings)} {
		sddl, err := access.SDDL(path)
		if err != nil {
			continue // there are no settings yet
		}
		if services, err := access.Services(sddl); err == nil && len(services) > 0 {
			return services
		}
	}
	return access.ServiceAccounts(serviceName)
}
