# SPDX-License-Identifier: Apache-2.0
# Runs a Vagrantfile without Vagrant, with the block of every provider: `vagrant validate` passes over those whose plugin
# is not there. Fails if a setting is not what the environment asks for, or if something would listen beyond loopback.
#
#   ruby blocks.rb VAGRANTFILE CACHE ARCH   what image.sh makes must be looked for in CACHE, and for ARCH

# Recorder takes any setting and any call.
class Recorder
  attr_reader :calls

  def initialize
    @calls = {}
  end

  def method_missing(name, *args, **words)
    return @calls[name.to_s.chomp("=")] = args.first if name.to_s.end_with?("=")
    return @calls[name] = (words.empty? ? args : args + [words]) unless args.empty? && words.empty?
    @calls[name.to_s] ||= Recorder.new
  end

  def respond_to_missing?(*)
    true
  end

  def [](key)
    @calls[key.to_s]
  end

  def []=(key, value)
    @calls[key.to_s] = value
  end
end

# VM also keeps the blocks of the providers.
class VM < Recorder
  def providers
    @providers ||= {}
  end

  def provider(name, &block)
    raise "two blocks of #{name}" if providers[name]
    providers[name] = block
  end
end

module Vagrant
  def self.configure(_version)
    config = Recorder.new
    config["vm"] = VM.new
    yield config
    $config = config
  end
end

def check(what, got, want)
  return if want == got
  warn "#{what}: #{got.inspect}, want #{want.inspect}"
  $failed = true
end

file, cache, arch = ARGV.fetch(0), ARGV.fetch(1), ARGV.fetch(2)
load file
image = "#{cache}/debian-13-#{arch}-#{File.read(File.join(File.dirname(file), "image.txt"))[/^version +(\S+)/, 1]}"
vm = $config["vm"]
check "providers", vm.providers.keys.sort, %w[libvirt parallels qemu virtualbox vmware_desktop]
check "private network, forwarded port", [vm[:network], vm[:forwarded_port]], [nil, nil]
check "box for all", vm["box"], nil
vm.providers.each do |name, block|
  p = Recorder.new
  override = Recorder.new
  block.arity == 2 ? block.call(p, override) : block.call(p)
  case name
  when "qemu"
    check "cpus of qemu", [p["smp"], p["memory"], p["disk_resize"], p["ssh_port"]], ["3", "4321M", "17G", 50123]
    check "architecture of qemu", p["arch"], { "arm64" => "aarch64", "amd64" => "x86_64" }.fetch(arch)
    check "images of qemu", p["image_path"], ["#{image}.qcow2", "#{cache}/seed.qcow2"]
    check "network of qemu", p.calls.fetch("net_device"), nil
    forwards = p["extra_qemu_args"].join(" ").scan(/hostfwd=(\S+?)(?=,|\s|$)/).flatten
    check "ports of qemu", forwards, ["tcp:127.0.0.1:50123-:22"]
  when "vmware_desktop"
    check "cpus of vmware", [p["vmx"]["numvcpus"], p["vmx"]["memsize"]], ["3", "4321"]
  else
    check "cpus of #{name}", [p["cpus"], p["memory"]], [3, 4321]
  end
  next if %w[qemu parallels].include?(name)
  check "box of #{name}", override["vm"]["box_url"], "file://#{image}-#{name}.box"
end
exit 1 if $failed
