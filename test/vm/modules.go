// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// guestModules are the modules that tests may use; loopback alone needs none. One that a kernel does not have, or has
// built in, is left out.
var guestModules = []string{"veth", "dummy", "tun", "tcp_diag", "sch_netem"}

// module is a kernel module, unpacked.
type module struct {
	Name string
	Data []byte
}

// modules reads the named modules and what they depend on from an unpacked kernel, in the order in which to load them.
func modules(ctx context.Context, root string, names []string) ([]module, error) {
	paths := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		base, _, ok := strings.Cut(filepath.Base(path), ".ko")
		if err == nil && ok && d.Type().IsRegular() {
			paths[strings.ReplaceAll(base, "-", "_")] = path
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for kernel modules: %w", err)
	}
	l := moduleLoader{ctx: ctx, paths: paths, done: map[string]bool{}}
	for _, n := range names {
		if err := l.add(n); err != nil {
			return nil, err
		}
	}
	return l.mods, nil
}

// moduleLoader collects modules, each after those it depends on.
type moduleLoader struct {
	ctx   context.Context
	paths map[string]string
	done  map[string]bool
	mods  []module
}

func (l *moduleLoader) add(name string) error {
	path, ok := l.paths[name]
	if !ok || l.done[name] {
		return nil
	}
	l.done[name] = true
	data, err := readModule(l.ctx, path)
	if err != nil {
		return err
	}
	deps, err := moduleDepends(data)
	if err != nil {
		return fmt.Errorf("module %s: %w", name, err)
	}
	for _, d := range deps {
		if err := l.add(d); err != nil {
			return err
		}
	}
	l.mods = append(l.mods, module{name, data})
	return nil
}

// readModule reads a module, through xz where it is compressed (from 6.12): busybox cannot insert a compressed one.
func readModule(ctx context.Context, path string) ([]byte, error) {
	if strings.HasSuffix(path, ".xz") {
		out, err := run(ctx, "", "xz", "-dc", path)
		return []byte(out), err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read module: %w", err)
	}
	return data, nil
}

// moduleDepends returns the modules that a module names in its .modinfo section.
func moduleDepends(data []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("no .modinfo section")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	for field := range strings.SplitSeq(string(info), "\x00") {
		if deps, ok := strings.CutPrefix(field, "depends="); ok && deps != "" {
			return strings.Split(strings.ReplaceAll(deps, "-", "_"), ","), nil
		}
	}
	return nil, nil
}
