// SPDX-License-Identifier: Apache-2.0

//go:build guest

package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"beltrace/demos"
	"beltrace/demos/recordings"
)

// TestRecord records each demo in the guest and prints the recording for the host, once every claim is proven.
func TestRecord(t *testing.T) {
	for _, d := range demos.All() {
		t.Run(d.Name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), d.Name+recordings.Suffix)
			var stderr bytes.Buffer
			cmd := exec.CommandContext(t.Context(), os.Getenv("BELTRACE_BIN"), "demo", d.Name, "--json", "--record", path)
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v: %s%s", err, stderr.Bytes(), out)
			}
			proven(t, out)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for piece := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(data)), 512) {
				fmt.Printf("%s %s %s\n", marker, d.Name, piece)
			}
			fmt.Printf("%s %s end %s\n", marker, d.Name, sum(data))
		})
	}
}

// proven tests that the demo went as a recording shall show it.
func proven(t *testing.T, result []byte) {
	t.Helper()
	var r struct {
		Tier     string
		Claims   []struct{ OK bool }
		Unproven []struct{ Text, Reason string }
		Lost     map[string]uint64
	}
	if err := json.Unmarshal(result, &r); err != nil {
		t.Fatalf("%v: %s", err, result)
	}
	if r.Tier != "full" || len(r.Claims) == 0 || len(r.Unproven) > 0 || len(r.Lost) > 0 {
		t.Errorf("not good enough to be kept: %s", result)
	}
}
