// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// image is an unpacked kernel in the cache.
type image struct {
	Version string // of the package, for example 6.1.176-1
	Vmlinuz string
	Modules string // folder of its .ko files
	Note    string // why the cached one was taken, if the archive could not be asked
}

// store is the folder of unpacked kernels. It lies outside the repository.
type store struct{ dir string }

// newStore returns the store in $BELTRACE_CACHE, or in the machine's or the user's cache folder.
func newStore() (store, error) {
	dir := os.Getenv("BELTRACE_CACHE")
	if dir == "" && os.Geteuid() == 0 {
		dir = "/var/cache/beltrace"
	}
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return store{}, fmt.Errorf("find cache folder (set BELTRACE_CACHE): %w", err)
		}
		dir = filepath.Join(user, "beltrace")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return store{}, fmt.Errorf("make cache folder: %w", err)
	}
	return store{dir}, nil
}

// image returns the newest kernel of that line: from the archive, or from the cache if the archive cannot be reached.
func (s store) image(ctx context.Context, k kernel, arch string) (*image, error) {
	dir := filepath.Join(s.dir, "kernels", k.Name+"-"+arch)
	img, err := s.fetch(ctx, dir, k, arch)
	if err == nil || ctx.Err() != nil {
		return img, err
	}
	img, cacheErr := newest(dir)
	if cacheErr != nil {
		return nil, errors.Join(err, cacheErr)
	}
	img.Note = fmt.Sprintf("kernel from the cache: %v", err)
	return img, nil
}

// fetch asks the archive for the newest version and unpacks it, unless the cache has it.
func (s store) fetch(ctx context.Context, dir string, k kernel, arch string) (*image, error) {
	a, err := s.apt(ctx, k.Suites, arch)
	if err != nil {
		return nil, err
	}
	meta := "linux-image-cloud-" + arch
	version, err := a.candidate(ctx, meta)
	if err != nil {
		return nil, err
	}
	dest := filepath.Join(dir, version)
	if exists(dest) {
		return open(dest)
	}
	pkgs, err := kernelPackages(ctx, a, meta)
	if err != nil {
		return nil, err
	}
	if err := unpackInto(ctx, a, dest, pkgs); err != nil {
		return nil, err
	}
	if err := prune(dir, version); err != nil {
		return nil, err
	}
	return open(dest)
}

// prune removes all kernels of a line but the newest.
func prune(dir, version string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("prune cached kernels: %w", err)
	}
	for _, e := range entries {
		if e.Name() != version {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return fmt.Errorf("prune cached kernels: %w", err)
			}
		}
	}
	return nil
}

// apt returns a view of those suites with fresh lists.
func (s store) apt(ctx context.Context, suites []suite, arch string) (*apt, error) {
	a, err := newApt(ctx, filepath.Join(s.dir, "apt", suites[0].Name+"-"+arch), arch, suites)
	if err != nil {
		return nil, err
	}
	return a, a.update(ctx)
}

// busybox returns a static busybox for arch. It is not under test: any version will do.
func (s store) busybox(ctx context.Context, arch string) (string, error) {
	dir := filepath.Join(s.dir, "busybox-"+arch)
	if !exists(dir) {
		a, err := s.apt(ctx, []suite{{"bookworm", false}, {"bookworm-security", true}}, arch)
		if err != nil {
			return "", err
		}
		if err := unpackInto(ctx, a, dir, []string{"busybox-static"}); err != nil {
			return "", err
		}
	}
	for _, name := range []string{"bin/busybox", "usr/bin/busybox"} {
		if path := filepath.Join(dir, name); exists(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("package busybox-static in %s: no busybox in it", dir)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// kernelPackages returns the packages that hold the kernel and its modules: linux-image itself up to 6.12,
// linux-binary and linux-modules from 7.x.
func kernelPackages(ctx context.Context, a *apt, meta string) ([]string, error) {
	var pkgs []string
	for todo := []string{meta}; len(todo) > 0; todo = todo[1:] {
		deps, err := a.depends(ctx, todo[0])
		if err != nil {
			return nil, err
		}
		for _, d := range deps {
			if strings.HasPrefix(d, "linux-image-") || strings.HasPrefix(d, "linux-binary-") || strings.HasPrefix(d, "linux-modules-") {
				pkgs = append(pkgs, d)
				todo = append(todo, d)
			}
		}
	}
	if len(pkgs) == 0 {
		return nil, fmt.Errorf("package %s: depends on no kernel", meta)
	}
	return pkgs, nil
}

// unpackInto unpacks packages into dest, which appears only when it is whole.
func unpackInto(ctx context.Context, a *apt, dest string, pkgs []string) error {
	if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
		return fmt.Errorf("make cache folder: %w", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dest), ".unpack-")
	if err != nil {
		return fmt.Errorf("make cache folder: %w", err)
	}
	defer os.RemoveAll(tmp)
	if err := a.unpack(ctx, tmp, pkgs...); err != nil {
		return err
	}
	now := time.Now() // dpkg gave the folder the package's own date; newest goes by this one
	if err := os.Chtimes(tmp, now, now); err != nil {
		return fmt.Errorf("store kernel: %w", err)
	}
	if err := os.Rename(tmp, dest); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("store kernel: %w", err)
	}
	return nil
}

// newest returns the kernel that was put into the cache last.
func newest(dir string) (*image, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look for a cached kernel: %w", err)
	}
	var best string
	var when int64
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && !strings.HasPrefix(e.Name(), ".") && info.ModTime().UnixNano() > when {
			best, when = e.Name(), info.ModTime().UnixNano()
		}
	}
	if best == "" {
		return nil, fmt.Errorf("no kernel in the cache %s", dir)
	}
	return open(filepath.Join(dir, best))
}

// open finds the files of an unpacked kernel.
func open(dir string) (*image, error) {
	img := &image{Version: filepath.Base(dir)}
	for _, f := range []struct {
		to       *string
		patterns []string
	}{
		{&img.Vmlinuz, []string{"boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz"}},
		{&img.Modules, []string{"lib/modules/*/kernel", "usr/lib/modules/*/kernel"}},
	} {
		for _, p := range f.patterns {
			if m, _ := filepath.Glob(filepath.Join(dir, p)); len(m) > 0 {
				*f.to = m[len(m)-1]
			}
		}
		if *f.to == "" {
			return nil, fmt.Errorf("unpacked kernel %s: no %s", dir, strings.Join(f.patterns, " or "))
		}
	}
	return img, nil
}
