// SPDX-License-Identifier: Apache-2.0

package live

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
)

func TestNoTypes(t *testing.T) {
	if un := noTypes(nil); un != nil {
		t.Errorf("nothing is wrong, but %v", un)
	}
	for err, want := range map[error]string{
		fmt.Errorf("load: %w", fs.ErrNotExist):        "has no BTF",
		fmt.Errorf("find: %w", btf.ErrNotSupported):   "has no BTF",
		fmt.Errorf("string table is out of bounds"):   "cannot be used (/sys/kernel/btf/vmlinux: string table is out of bounds)",
		complete(built(t, "task_struct", "sock")):     "it lacks struct tcp_sock",
		complete(built(t, "nothing_that_we_know_of")): "it lacks struct task_struct",
	} {
		if un := noTypes(err); un == nil || !strings.Contains(un.What, want) {
			t.Errorf("%v: says %v, want %q", err, un, want)
		}
	}
	if err := complete(built(t, basicTypes...)); err != nil {
		t.Errorf("complete, but %v", err)
	}
}

// built makes the types of a kernel that has these structs alone.
func built(t *testing.T, structs ...string) *btf.Spec {
	t.Helper()
	var b btf.Builder
	for _, name := range structs {
		if _, err := b.Add(&btf.Struct{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	spec, err := b.Spec()
	if err != nil {
		t.Fatal(err)
	}
	return spec
}
