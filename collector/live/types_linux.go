// SPDX-License-Identifier: Apache-2.0

package live

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/cilium/ebpf/btf"
)

// btfFile is where the kernel shows its types.
const btfFile = "/sys/kernel/btf/vmlinux"

// basicTypes are those that every kernel's BTF has, and no program of ours can do without.
var basicTypes = []string{"task_struct", "sock", "tcp_sock", "inet_connection_sock"}

// kernelTypes reads the kernel's types.
func kernelTypes(cache *btf.Cache) (*btf.Spec, *Unsupported) {
	spec, err := cache.Kernel()
	if err == nil {
		err = complete(spec)
	}
	return spec, noTypes(err)
}

// noTypes says that the kernel's types cannot be used, and what to do; nil if they can.
func noTypes(err error) *Unsupported {
	if err == nil {
		return nil
	}
	kernel, _ := uname()
	if errors.Is(err, btf.ErrNotSupported) || errors.Is(err, fs.ErrNotExist) {
		return &Unsupported{
			What: fmt.Sprintf("linux %s has no BTF (%s)", kernel, btfFile),
			Do:   "use a kernel with CONFIG_DEBUG_INFO_BTF=y, as distributions ship it, and mount sysfs",
			Err:  err,
		}
	}
	return &Unsupported{
		What: fmt.Sprintf("the BTF of linux %s cannot be used (%s: %v)", kernel, btfFile, err),
		Do:   "unmount what hides it (findmnt " + btfFile + "), or use another build of the kernel",
		Err:  err,
	}
}

// complete says which of the basic types is not there.
func complete(spec *btf.Spec) error {
	for _, name := range basicTypes {
		var t *btf.Struct
		if err := spec.TypeByName(name, &t); err != nil {
			return fmt.Errorf("it lacks struct %s", name)
		}
	}
	return nil
}
