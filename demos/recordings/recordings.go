// SPDX-License-Identifier: Apache-2.0

// Package recordings holds a recording of each demo: what the kernel of a guest did, in the tier full, with what the
// demo's own programs said. `make recordings` makes them; a test of cmd/beltrace proves the claims by them again.
package recordings

import "embed"

//go:embed *.ndjson.zst
var files embed.FS

// Of returns the recording of the demo of that name, as package record reads it.
func Of(name string) ([]byte, error) { return files.ReadFile(name + Suffix) }

// Suffix ends the names of the files here.
const Suffix = ".ndjson.zst"
