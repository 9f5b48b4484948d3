// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTapes tests that only a recording that came whole is written.
func TestTapes(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	data := []byte(strings.Repeat("what the kernel did; ", 50))
	text := base64.StdEncoding.EncodeToString(data)
	got := tapes{}
	for _, line := range []string{
		marker + " whole " + text[:100], "[    1.234] something of the kernel", marker + " whole " + text[100:],
		marker + " whole end " + sum(data),
		marker + " damaged " + text[:96], marker + " damaged end " + sum(data),
		marker + " cut " + text[:100],
		marker + " twice " + text[:100], marker + " twice end " + sum(nil), marker + " twice " + text, marker + " twice end " + sum(data),
		"no " + marker, marker,
	} {
		got.add(line)
	}
	for name, want := range map[string]string{"whole": "", "damaged": "damaged", "cut": "no recording", "none": "no recording", "twice": ""} {
		err := got.write(name)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		kept, readErr := os.ReadFile(filepath.Join(dir, name+".ndjson.zst"))
		if want == "" && string(kept) != string(data) || want != "" && readErr == nil {
			t.Errorf("%s: kept %d bytes", name, len(kept))
		}
	}
}
