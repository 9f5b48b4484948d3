// SPDX-License-Identifier: Apache-2.0

package collector_test

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/record"
)

// TestOwnFields tests that events have no other fields than those that docs/events.md names, in the recordings that are here.
func TestOwnFields(t *testing.T) {
	files, err := filepath.Glob("../demos/recordings/*.zst")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	told := map[string]bool{}
	for _, file := range append(files, "../docs/screens/traffic.ndjson.zst") {
		r, err := record.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		var e event.Event
		for err = r.Next(&e); err == nil; err = r.Next(&e) {
			for _, f := range event.Fields() {
				what := fmt.Sprintf("%v has the field %v", e.Kind, f)
				if f > event.FieldRemote && e.Known(f) && !slices.Contains(e.Kind.Own(), f) && !told[what] {
					told[what] = true
					t.Errorf("%s:%d: %s, which is not one of its own", file, r.Line(), what)
				}
			}
		}
		if !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		r.Close()
	}
}
