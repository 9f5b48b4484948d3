// SPDX-License-Identifier: Apache-2.0

// Command beltrace shows what the kernel does for a backend: how connections come, wait, are accepted and end.
package main

import "os"

// version and commit are set by the linker: -X main.version=v1.2.3 -X main.commit=0123abc.
var version, commit string

func main() {
	os.Exit(run(os.Args[1:]...))
}

// run runs the program with the process's own streams and returns its exit code.
func run(args ...string) int {
	a := &app{in: os.Stdin, out: newStdout(), err: os.Stderr}
	return a.main(args)
}
