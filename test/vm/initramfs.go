// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	_ "embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

//go:embed init.sh
var initScript []byte

// payload is what a guest runs: static binaries of its architecture.
type payload struct {
	Busybox  string     // path of a static busybox
	Beltrace string     // path of the beltrace binary
	Tests    []testFile // run in this order
}

// testFile is a test binary of one package.
type testFile struct {
	Package string // as go test names it, for example ./test/truth
	Binary  string // path on the host
}

// name is the test's folder in the guest.
func (t testFile) name(i int) string { return fmt.Sprintf("%02d-%s", i, filepath.Base(t.Package)) }

// etc is the least that resolvers and user look-ups want to see.
var etc = map[string]string{
	"etc/passwd":        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
	"etc/group":         "root:x:0:\nnogroup:x:65534:\n",
	"etc/hosts":         "127.0.0.1 localhost guest\n::1 localhost guest\n",
	"etc/nsswitch.conf": "hosts: files\n",
}

// writeInitramfs writes the file system of a guest to path: busybox, the kernel's modules, our binaries and /init.
func writeInitramfs(ctx context.Context, path string, img *image, p payload, env, args []string) error {
	mods, err := modules(ctx, img.Modules, guestModules)
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write initramfs: %w", err)
	}
	defer f.Close()
	buf := bufio.NewWriterSize(f, 1<<20)
	c := &cpioWriter{w: buf}
	for _, d := range []string{"bin", "dev", "etc", "modules", "proc", "root", "run", "sys", "tests", "tmp", "var"} {
		c.dir(d)
	}
	c.char("dev/console", 5, 1)
	c.char("dev/null", 1, 3)
	c.file("init", 0o755, initScript)
	for name, text := range etc {
		c.file(name, 0o644, []byte(text))
	}
	for i, m := range mods {
		c.file(fmt.Sprintf("modules/%02d-%s.ko", i, m.Name), 0o644, m.Data)
	}
	c.file("env", 0o644, []byte(envScript(env, args)))
	if err := addBinaries(c, p); err != nil {
		return err
	}
	if err := c.close(); err != nil {
		return fmt.Errorf("write initramfs: %w", err)
	}
	if err := buf.Flush(); err != nil {
		return fmt.Errorf("write initramfs: %w", err)
	}
	return f.Close()
}

// addBinaries adds busybox, beltrace and the test binaries, each in a folder of its own beside its testdata.
func addBinaries(c *cpioWriter, p payload) error {
	files := map[string]string{"bin/busybox": p.Busybox, "bin/beltrace": p.Beltrace}
	for i, t := range p.Tests {
		dir := "tests/" + t.name(i)
		c.dir(dir)
		files[dir+"/run.test"] = t.Binary
		if err := addTree(c, dir+"/testdata", filepath.Join(t.Package, "testdata")); err != nil {
			return err
		}
	}
	for name, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read binary for guest: %w", err)
		}
		c.file(name, 0o755, data)
	}
	return nil
}

// addTree adds a folder of the host, if there is one.
func addTree(c *cpioWriter, name, root string) error {
	if !exists(root) {
		return nil
	}
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := name + strings.TrimPrefix(path, root)
		if d.IsDir() {
			c.dir(to)
			return nil
		}
		data, err := os.ReadFile(path)
		if err == nil {
			c.file(to, 0o644, data)
		}
		return err
	})
}

// envScript returns the shell lines that set the tests' environment and arguments.
func envScript(env, args []string) string {
	var b strings.Builder
	for _, kv := range env {
		k, v, _ := strings.Cut(kv, "=")
		fmt.Fprintf(&b, "export %s=%s\n", k, quote(v))
	}
	b.WriteString("set --")
	for _, a := range args {
		b.WriteString(" " + quote(a))
	}
	return b.String() + "\n"
}

// quote makes s one word of the shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
