package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"pombo/internal/phone"
)

func TestKey(t *testing.T) {
	if _, err := NewKey("short"); err == nil {
		t.Error("a short key was taken")
	}
	secret := strings.Repeat("s", MinSecret)
	key, err := NewKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	n, err := phone.Parse("31 98888-0042")
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("+5531988880042"))
	if !bytes.Equal(key.Person(n), mac.Sum(nil)) {
		t.Error("a person is not the HMAC of the number")
	}
	if bytes.Equal(key.MAC("a", "b", "c"), key.MAC("a", "bc")) || bytes.Equal(key.MAC("a", "b"), key.MAC("b", "b")) {
		t.Error("two different things have one MAC")
	}
	if got := fmt.Sprintf("%v %+v %#v %s", key, key, key, key); strings.Contains(got, "ssss") || strings.Contains(got, "115") {
		t.Errorf("the key prints itself: %s", got)
	}
}

func TestMakeKey_OnceForAll(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data", "audit.key")
	if _, err := ReadKey(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("err = %v, want one of a file that is not there", err)
	}
	first, err := MakeKey(file)
	if err != nil {
		t.Fatal(err)
	}
	again, err := MakeKey(file)
	if err != nil || !bytes.Equal(first.MAC("x"), again.MAC("x")) {
		t.Errorf("a second key was made (%v)", err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); err != nil || len(left) != 1 {
		t.Errorf("the folder has %v, %v", left, err)
	}
}
