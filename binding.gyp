{
  "targets": [
    {
      "target_name": "halyard",
      "sources": [
        "native/addon.cc",
        "native/channel.cc",
        "native/clock.cc",
        "native/disk.cc",
        "native/entropy.cc",
        "native/event-fd.cc",
        "native/mmap.cc",
        "native/seccomp.cc",
        "native/watcher.cc",
        "native/binding/addon.cc",
        "native/binding/call.cc",
        "native/binding/fields.cc",
        "native/binding/ranges.cc",
        "native/core/disk-file.cc",
        "native/core/inherited.cc",
        "native/core/load-file.cc",
        "native/core/poller.cc",
        "native/core/seccomp-filter.cc",
        "native/core/seccomp-listener.cc",
        "native/core/sha256.cc",
        "native/core/shared-memory.cc"
      ],
      "variables": {
        "kvm_sources": [
          "native/kvm.cc",
          "native/kvm-devices.cc",
          "native/kvm-vcpu.cc",
          "native/kvm/coalesced-ring.cc",
          "native/kvm/event-queue.cc",
          "native/kvm/exit.cc",
          "native/kvm/resources.cc",
          "native/kvm/vcpu-thread.cc"
        ]
      },
      "conditions": [
        ["target_arch == 'x64'", {
          "sources": [
            "<@(kvm_sources)",
            "native/arch/x86_64/kvm-arch.cc",
            "native/arch/x86_64/kvm-registers.cc",
            "native/arch/x86_64/kvm-tables.cc",
            "native/arch/x86_64/sha256-blocks.cc"
          ]
        }],
        ["target_arch == 'arm64'", {
          "sources": [
            "<@(kvm_sources)",
            "native/arch/arm64/kvm-arch.cc",
            "native/arch/arm64/sha256-blocks.cc"
          ]
        }],
        ["target_arch == 'arm'", {
          "sources": ["native/arch/arm/kvm.cc", "native/arch/generic/sha256-blocks.cc"]
        }]
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": [
        "NAPI_VERSION=9",
        "NAPI_DISABLE_CPP_EXCEPTIONS",
        "_FILE_OFFSET_BITS=64",
        "_TIME_BITS=64"
      ],
      "cflags_cc!": ["-std=gnu++17"],
      "cflags_cc": ["-std=gnu++20", "-Wall", "-Wextra", "-fvisibility=hidden"]
    }
  ]
}
