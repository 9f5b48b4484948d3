// SPDX-License-Identifier: Apache-2.0

// Package vagrant tests what brings the VM up, short of the VM itself: that is run.sh, `make test-vagrant`.
package vagrant

import (
	"bytes"
	"crypto/sha512"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// mirror stands in for Debian's server.
type mirror struct {
	*httptest.Server
	image []byte

	mu    sync.Mutex
	held  chan struct{} // answers wait until it is closed; nil: not
	cut   int           // break off after so many bytes, once; 0: not
	asked []string      // the Range of each request
}

func newMirror(t *testing.T) *mirror {
	reads(t, "../../vagrant/image.sh", "../../vagrant/image.txt")
	m := &mirror{image: smallImage(t)}
	m.Server = httptest.NewServer(m)
	t.Cleanup(m.Close)
	return m
}

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	cut := m.cut
	m.cut = 0
	m.asked = append(m.asked, r.Header.Get("Range"))
	held := m.held
	m.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-r.Context().Done():
		}
	}
	if r.URL.Path == "/none" {
		http.NotFound(w, r)
		return
	}
	if cut == 0 {
		http.ServeContent(w, r, "", time.Unix(1, 0), bytes.NewReader(m.image))
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(m.image)))
	w.Write(m.image[:cut])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// requests returns the ranges that were asked for, and forgets them.
func (m *mirror) requests() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	asked := m.asked
	m.asked = nil
	return asked
}

// smallImage is a qcow2 of 1 MB with something in it.
func smallImage(t *testing.T) []byte {
	t.Helper()
	for _, tool := range []string{"curl", "qemu-img", "ssh-keygen", "tar"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs " + tool)
		}
	}
	dir := t.TempDir()
	raw, out := filepath.Join(dir, "raw"), filepath.Join(dir, "qcow2")
	if err := os.WriteFile(raw, bytes.Repeat([]byte("a disk in little. "), 60000), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, "qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, out)
	image, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// imageSH is image.sh with a cache of its own.
type imageSH struct {
	cache string
	env   []string
}

func newImageSH(t *testing.T, url string, sum [64]byte) *imageSH {
	cache := t.TempDir()
	return &imageSH{cache: cache, env: append(os.Environ(), "BELTRACE_CACHE="+cache, "BELTRACE_ARCH=amd64",
		"BELTRACE_IMAGE_URL="+url, fmt.Sprintf("BELTRACE_IMAGE_SHA512=%x", sum))}
}

func (s *imageSH) run(args ...string) (string, error) {
	cmd := exec.Command("../../vagrant/image.sh", args...)
	cmd.Env = s.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// kept returns the files of the cache that match.
func (s *imageSH) kept(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(s.cache, "vagrant", pattern))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestImage tests that an image is fetched once, and checked.
func TestImage(t *testing.T) {
	m := newMirror(t)
	s := newImageSH(t, m.URL, sha512.Sum512(m.image))
	for i := range 2 {
		if out, err := s.run(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if n := len(m.requests()); n != 1-i {
			t.Errorf("run %d asked %d times", i+1, n)
		}
	}
	files := s.kept(t, "other-amd64-*.qcow2")
	if len(files) != 1 {
		t.Fatalf("kept %v", files)
	}
	if got, err := os.ReadFile(files[0]); err != nil || !bytes.Equal(got, m.image) {
		t.Errorf("another image is kept than was served, %v", err)
	}
	if link, err := os.Readlink(s.kept(t, "debian-13.qcow2")[0]); err != nil || link != files[0] {
		t.Errorf("Lima is led to %s, %v", link, err)
	}
}

// TestImageGoesOn breaks the download off: the second run asks for the rest only.
func TestImageGoesOn(t *testing.T) {
	m := newMirror(t)
	const cut = 300000
	m.cut = cut
	s := newImageSH(t, m.URL, sha512.Sum512(m.image))
	if out, err := s.run(); err == nil || !strings.Contains(out, "run this again and it goes on") {
		t.Fatalf("%v, it says %s", err, out)
	}
	if got := m.requests(); len(got) != 1 || got[0] != "" {
		t.Errorf("first run asked for %q", got)
	}
	if out, err := s.run(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := m.requests(); len(got) != 1 || got[0] != fmt.Sprintf("bytes=%d-", cut) {
		t.Errorf("second run asked for %q, want the rest after %d bytes", got, cut)
	}
}

// TestImageRefused tests that an image with another sum is thrown away, also one that was there in part.
func TestImageRefused(t *testing.T) {
	m := newMirror(t)
	good := sha512.Sum512(m.image)
	m.image[len(m.image)/2] ^= 1
	s := newImageSH(t, m.URL, good)
	out, err := s.run("libvirt")
	if err == nil || !strings.Contains(out, "thrown away") {
		t.Errorf("%v, it says %s", err, out)
	}
	if kept := s.kept(t, "other-*"); len(kept) > 0 {
		t.Errorf("kept %v", kept)
	}
	m.image[len(m.image)/2] ^= 1
	if out, err := s.run(); err != nil {
		t.Errorf("the right one is refused, too: %v\n%s", err, out)
	}
}

// TestImageWhole has a part that is complete, or longer, and wrong: it is thrown away, and the next run fetches the image.
func TestImageWhole(t *testing.T) {
	for name, more := range map[string]int{"as long": 0, "longer": 1} {
		t.Run(name, func(t *testing.T) {
			m := newMirror(t)
			sum := sha512.Sum512(m.image)
			s := newImageSH(t, m.URL, sum)
			part := filepath.Join(s.cache, "vagrant", fmt.Sprintf("other-amd64-%x.qcow2.part", sum[:6]))
			if err := os.MkdirAll(filepath.Dir(part), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(part, make([]byte, len(m.image)+more), 0o644); err != nil {
				t.Fatal(err)
			}
			if out, err := s.run(); err == nil || !strings.Contains(out, "thrown away") {
				t.Errorf("%v, it says %s", err, out)
			}
			if out, err := s.run(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestImageGone tests what is said of a version that Debian has removed.
func TestImageGone(t *testing.T) {
	m := newMirror(t)
	s := newImageSH(t, m.URL+"/none", sha512.Sum512(m.image))
	if out, err := s.run(); err == nil || !strings.Contains(out, "image.txt") {
		t.Errorf("%v, it says %s", err, out)
	}
}

// TestImageWords tests what is said when something cannot be done.
func TestImageWords(t *testing.T) {
	m := newMirror(t)
	for args, want := range map[string]string{"parallels": "BELTRACE_BOX", "hyperv": "no box for hyperv: the providers are qemu, libvirt, virtualbox and vmware_desktop; another takes a box of your own (BELTRACE_BOX)"} {
		s := newImageSH(t, m.URL, sha512.Sum512(m.image))
		if out, err := s.run(args); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v, no %q in %s", args, err, want, out)
		}
	}
	s := newImageSH(t, m.URL, sha512.Sum512(m.image))
	s.env = append(s.env, "BELTRACE_ARCH=riscv64")
	if out, err := s.run(); err == nil || !strings.Contains(out, "amd64 or arm64") {
		t.Errorf("riscv64: %v, %s", err, out)
	}
	s.env = append(s.env, "BELTRACE_ARCH=arm64", "BELTRACE_IMAGE_URL=")
	if out, err := s.run(); err == nil || !strings.Contains(out, "goes with") {
		t.Errorf("a sum without an address: %v, %s", err, out)
	}
	if n := len(m.requests()); n > 0 {
		t.Errorf("%d requests", n)
	}
}

// TestBox tests the box of libvirt: the disk as large as asked for, and the seed that lets our key in.
func TestBox(t *testing.T) {
	m := newMirror(t)
	s := newImageSH(t, m.URL, sha512.Sum512(m.image))
	s.env = append(s.env, "BELTRACE_DISK=3")
	if out, err := s.run("libvirt"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	boxes := s.kept(t, "other-amd64-*-libvirt.box")
	if len(boxes) != 1 {
		t.Fatalf("boxes %v", boxes)
	}
	dir := t.TempDir()
	run(t, "tar", "-C", dir, "-xzf", boxes[0])
	if info := run(t, "qemu-img", "info", filepath.Join(dir, "disk.qcow2")); !strings.Contains(info, "virtual size: 3 GiB") {
		t.Errorf("disk: %s", info)
	}
	run(t, "qemu-img", "convert", "-O", "raw", filepath.Join(dir, "seed.qcow2"), filepath.Join(dir, "seed.raw"))
	key, err := os.ReadFile(s.kept(t, "key.pub")[0])
	if err != nil {
		t.Fatal(err)
	}
	seed, err := os.Open(filepath.Join(dir, "seed.raw"))
	if err != nil {
		t.Fatal(err)
	}
	defer seed.Close()
	start := make([]byte, 8<<20)
	n, err := io.ReadFull(seed, start)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"#cloud-config", strings.TrimSpace(string(key)), "instance-id", "cidata"} {
		if !bytes.Contains(start[:n], []byte(want)) {
			t.Errorf("no %q in the seed", want)
		}
	}
	if st, err := os.Stat(s.kept(t, "key")[0]); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v, %v", st.Mode(), err)
	}
}

// TestOtherBoxes makes the boxes of providers that are not here, VirtualBox with a pretended VBoxManage: what is in them
// is looked at, whether they boot is not known. VBoxManage fails if it is handed the lock: what it starts goes on.
func TestOtherBoxes(t *testing.T) {
	m := newMirror(t)
	bin := t.TempDir()
	command(t, bin, "VBoxManage", `echo "$*" >>"$BELTRACE_CACHE/asked"; while [ $# -gt 0 ]; do [ "$1" = -o ] && echo ovf >"$2"; shift; done; ! (: >&9) 2>/dev/null`)
	for provider, want := range map[string][]string{
		"virtualbox":     {"box.ovf", "metadata.json"},
		"vmware_desktop": {"beltrace.vmx", "disk.vmdk", "metadata.json", "seed.vmdk"},
	} {
		for _, arch := range []string{"amd64", "arm64"} {
			s := newImageSH(t, m.URL, sha512.Sum512(m.image))
			s.env = append(s.env, "PATH="+bin+":"+os.Getenv("PATH"), "BELTRACE_ARCH="+arch)
			if out, err := s.run(provider); err != nil {
				t.Fatalf("%s: %v\n%s", provider, err, out)
			}
			boxes := s.kept(t, "other-"+arch+"-*-"+provider+".box")
			if len(boxes) != 1 {
				t.Fatalf("%s: boxes %v", provider, boxes)
			}
			var names []string
			for _, name := range strings.Fields(run(t, "tar", "-tzf", boxes[0])) {
				if name = strings.TrimPrefix(name, "./"); name != "" {
					names = append(names, name)
				}
			}
			slices.Sort(names)
			if !slices.Equal(names, want) {
				t.Errorf("%s: the box holds %v, want %v", provider, names, want)
			}
			meta := run(t, "tar", "-xzOf", boxes[0], "./metadata.json")
			if !strings.Contains(meta, `"provider":"`+provider+`"`) {
				t.Errorf("%s: metadata %s", provider, meta)
			}
			if asked, err := os.ReadFile(filepath.Join(s.cache, "asked")); provider == "virtualbox" &&
				(err != nil || strings.Contains(string(asked), "--platform-architecture arm") != (arch == "arm64")) {
				t.Errorf("%s: VBoxManage was asked %s, %v", arch, asked, err)
			}
		}
	}
}

// TestVagrantfile runs the Vagrantfile with every provider's block, and checks what they must not get wrong.
func TestVagrantfile(t *testing.T) {
	if _, err := exec.LookPath("ruby"); err != nil {
		t.Skip("needs ruby")
	}
	reads(t, "blocks.rb", "../../vagrant/Vagrantfile", "../../vagrant/image.txt")
	for _, arch := range []string{"amd64", "arm64"} {
		cmd := exec.Command("ruby", "blocks.rb", "../../vagrant/Vagrantfile", "/kept/vagrant", arch)
		cmd.Env = append(os.Environ(), "BELTRACE_CACHE=/kept", "BELTRACE_ARCH="+arch, "BELTRACE_CPUS=3", "BELTRACE_MEMORY=4321", "BELTRACE_DISK=17", "BELTRACE_SSH_PORT=50123")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", arch, err, out)
		}
	}
}

// reads tells go test that its result depends on these files, which only programs that it starts read.
func reads(t *testing.T, files ...string) {
	t.Helper()
	for _, f := range files {
		if _, err := os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}
