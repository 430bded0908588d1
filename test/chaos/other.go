//go:build !unix

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "chaos: it stops processes with the signals of Unix; run it on Linux or macOS")
	os.Exit(1)
}
