// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzReader feeds the reader anything. It must not panic, must end, must name the line of what is bad, and whatever
// event it delivers must survive being written and read again.
func FuzzReader(f *testing.F) {
	f.Add([]byte(head + line(1) + line(2)))
	f.Add([]byte(head + `{"ts":-1,"event":"mark","name":"\u0000\"<","id":18446744073709551615,"local":"[fe80::1%a\"b]:1"}` + "\n"))
	f.Add([]byte(head + strings.Repeat("x", 300<<10)))
	f.Add(zstdMagic)
	var b bytes.Buffer
	if w, err := NewZstdWriter(&b, Header{}); err == nil {
		e := sample(1)
		_ = w.Write(&e)
		_ = w.Close()
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := readAll(bytes.NewReader(in))
		if bad := (*Error)(nil); err != nil && (!errors.As(err, &bad) || bad.Line < 1 || bad.Err == nil) {
			t.Fatalf("error without a line: %v", err)
		}
		var again bytes.Buffer
		w, err := NewWriter(&again, Header{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if err := w.Write(&got[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		back, err := readAll(&again)
		if err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
		if diff := cmp.Diff(got, back, cmpAddr); diff != "" {
			t.Fatalf("changed on its way (-first +second):\n%s", diff)
		}
	})
}
