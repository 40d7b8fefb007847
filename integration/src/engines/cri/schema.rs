//! The part of Kubernetes' Container Runtime Interface (k8s.io/cri-api, `runtime.v1`) that the checks
//! use: its messages and enumerations as tables, with the names that crictl's JSON files have.
//!
//! A method's messages are named after it: `NAMERequest` and `NAMEResponse`.

use std::collections::HashMap;
use std::sync::OnceLock;

/// `MESSAGE FIELD:TYPE=NUMBER...`. `*` is a list, `map` one of text to text, and `boxed` a number of
/// which the interface tells apart whether it was given.
const MESSAGES: &str = "
StatusRequest verbose:bool=1
StatusResponse status:RuntimeStatus=1 info:map=2 runtime_handlers:*RuntimeHandler=3 features:RuntimeFeatures=4
RuntimeStatus conditions:*RuntimeCondition=1
RuntimeCondition type:string=1 status:bool=2 reason:string=3 message:string=4
RuntimeHandler name:string=1 features:RuntimeHandlerFeatures=2
RuntimeHandlerFeatures recursive_read_only_mounts:bool=1 user_namespaces:bool=2
RuntimeFeatures supplemental_groups_policy:bool=1
RunPodSandboxRequest config:PodSandboxConfig=1 runtime_handler:string=2
RunPodSandboxResponse pod_sandbox_id:string=1
StopPodSandboxRequest pod_sandbox_id:string=1
StopPodSandboxResponse
RemovePodSandboxRequest pod_sandbox_id:string=1
RemovePodSandboxResponse
PodSandboxStatusRequest pod_sandbox_id:string=1 verbose:bool=2
PodSandboxStatusResponse status:PodSandboxStatus=1 info:map=2
PodSandboxStatus id:string=1 metadata:PodSandboxMetadata=2 state:PodSandboxState=3 network:PodSandboxNetworkStatus=5 labels:map=7 annotations:map=8 runtime_handler:string=9
PodSandboxNetworkStatus ip:string=1
ListPodSandboxRequest filter:PodSandboxFilter=1
PodSandboxFilter id:string=1 label_selector:map=3
ListPodSandboxResponse items:*PodSandbox=1
PodSandbox id:string=1 metadata:PodSandboxMetadata=2 state:PodSandboxState=3
PodSandboxStatsRequest pod_sandbox_id:string=1
PodSandboxStatsResponse stats:PodSandboxStats=1
PodSandboxStats linux:LinuxPodSandboxStats=2
LinuxPodSandboxStats cpu:CpuUsage=1 memory:MemoryUsage=2 network:NetworkUsage=3 process:ProcessUsage=4 containers:*ContainerStats=5
NetworkUsage default_interface:NetworkInterfaceUsage=2
NetworkInterfaceUsage name:string=1 rx_bytes:boxed=2
ProcessUsage process_count:boxed=2
PodSandboxConfig metadata:PodSandboxMetadata=1 hostname:string=2 log_directory:string=3 dns_config:DNSConfig=4 labels:map=6 annotations:map=7 linux:LinuxPodSandboxConfig=8
PodSandboxMetadata name:string=1 uid:string=2 namespace:string=3 attempt:int=4
DNSConfig servers:*string=1 searches:*string=2 options:*string=3
LinuxPodSandboxConfig cgroup_parent:string=1 security_context:LinuxSandboxSecurityContext=2 sysctls:map=3
LinuxSandboxSecurityContext namespace_options:NamespaceOption=1 run_as_user:boxed=3 run_as_group:boxed=8 readonly_rootfs:bool=4 supplemental_groups:*int=5 privileged:bool=6 seccomp:SecurityProfile=9
NamespaceOption network:NamespaceMode=1 pid:NamespaceMode=2 ipc:NamespaceMode=3 target_id:string=4 userns_options:UserNamespace=5
UserNamespace mode:NamespaceMode=1 uids:*IDMapping=2 gids:*IDMapping=3
IDMapping host_id:int=1 container_id:int=2 length:int=3
SecurityProfile profile_type:ProfileType=1 localhost_ref:string=2
CreateContainerRequest pod_sandbox_id:string=1 config:ContainerConfig=2 sandbox_config:PodSandboxConfig=3
CreateContainerResponse container_id:string=1
ContainerConfig metadata:ContainerMetadata=1 image:ImageSpec=2 command:*string=3 args:*string=4 working_dir:string=5 envs:*KeyValue=6 mounts:*Mount=7 devices:*Device=8 labels:map=9 annotations:map=10 log_path:string=11 stdin:bool=12 stdin_once:bool=13 tty:bool=14 linux:LinuxContainerConfig=15
ContainerMetadata name:string=1 attempt:int=2
ImageSpec image:string=1
KeyValue key:string=1 value:string=2
Mount container_path:string=1 host_path:string=2 readonly:bool=3 propagation:MountPropagation=5 uidMappings:*IDMapping=6 gidMappings:*IDMapping=7 recursive_read_only:bool=8
Device container_path:string=1 host_path:string=2 permissions:string=3
LinuxContainerConfig resources:LinuxContainerResources=1 security_context:LinuxContainerSecurityContext=2
LinuxContainerResources cpu_period:int=1 cpu_quota:int=2 cpu_shares:int=3 memory_limit_in_bytes:int=4 oom_score_adj:int=5 cpuset_cpus:string=6 memory_swap_limit_in_bytes:int=10
LinuxContainerSecurityContext capabilities:Capability=1 privileged:bool=2 namespace_options:NamespaceOption=3 run_as_user:boxed=5 run_as_group:boxed=12 run_as_username:string=6 readonly_rootfs:bool=7 supplemental_groups:*int=8 supplemental_groups_policy:SupplementalGroupsPolicy=17 no_new_privs:bool=11 masked_paths:*string=13 readonly_paths:*string=14 seccomp:SecurityProfile=15
Capability add_capabilities:*string=1 drop_capabilities:*string=2 add_ambient_capabilities:*string=3
StartContainerRequest container_id:string=1
StartContainerResponse
StopContainerRequest container_id:string=1 timeout:int=2
StopContainerResponse
RemoveContainerRequest container_id:string=1
RemoveContainerResponse
ContainerStatusRequest container_id:string=1 verbose:bool=2
ContainerStatusResponse status:ContainerStatus=1 info:map=2
ContainerStatus id:string=1 state:ContainerState=3 created_at:int=4 started_at:int=5 finished_at:int=6 exit_code:int=7 reason:string=10 message:string=11 mounts:*Mount=14 resources:ContainerResources=16 user:ContainerUser=18
ContainerResources linux:LinuxContainerResources=1
ContainerUser linux:LinuxContainerUser=1
LinuxContainerUser uid:int=1 gid:int=2 supplemental_groups:*int=3
UpdateContainerResourcesRequest container_id:string=1 linux:LinuxContainerResources=2
UpdateContainerResourcesResponse
ExecSyncRequest container_id:string=1 cmd:*string=2 timeout:int=3
ExecSyncResponse stdout:string=1 stderr:string=2 exit_code:int=3
ExecRequest container_id:string=1 cmd:*string=2 tty:bool=3 stdin:bool=4 stdout:bool=5 stderr:bool=6
ExecResponse url:string=1
AttachRequest container_id:string=1 stdin:bool=2 tty:bool=3 stdout:bool=4 stderr:bool=5
AttachResponse url:string=1
ReopenContainerLogRequest container_id:string=1
ReopenContainerLogResponse
ContainerStatsRequest container_id:string=1
ContainerStatsResponse stats:ContainerStats=1
ContainerStats cpu:CpuUsage=2 memory:MemoryUsage=3
CpuUsage usage_core_nano_seconds:boxed=2
MemoryUsage working_set_bytes:boxed=2 usage_bytes:boxed=4
";

/// `ENUMERATION NAME...`, from 0 on.
const ENUMS: &str = "
PodSandboxState SANDBOX_READY SANDBOX_NOTREADY
ContainerState CONTAINER_CREATED CONTAINER_RUNNING CONTAINER_EXITED CONTAINER_UNKNOWN
NamespaceMode POD CONTAINER NODE TARGET
ProfileType RuntimeDefault Unconfined Localhost
SupplementalGroupsPolicy Merge Strict
MountPropagation PROPAGATION_PRIVATE PROPAGATION_HOST_TO_CONTAINER PROPAGATION_BIDIRECTIONAL
";

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    Bool,
    Number,
    Boxed,
    Map,
    Enum(&'static str),
    Message(&'static str),
}

pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) list: bool,
    pub(super) number: u64,
}

/// The fields of a message.
pub(super) fn fields(message: &str) -> Option<&'static [Field]> {
    static TABLE: OnceLock<HashMap<&'static str, Vec<Field>>> = OnceLock::new();
    let read = |line: &'static str| {
        let mut words = line.split(' ');
        Some((words.next()?, words.filter_map(field).collect()))
    };
    let table = TABLE.get_or_init(|| MESSAGES.lines().filter_map(read).collect());
    table.get(message).map(Vec::as_slice)
}

fn field(text: &'static str) -> Option<Field> {
    let (name, rest) = text.split_once(':')?;
    let (kind, number) = rest.split_once('=')?;
    let plain = kind.trim_start_matches('*');
    Some(Field { name, kind: kind_of(plain), list: kind != plain, number: number.parse().ok()? })
}

fn kind_of(name: &'static str) -> Kind {
    match name {
        "string" => Kind::Text,
        "bool" => Kind::Bool,
        "int" => Kind::Number,
        "boxed" => Kind::Boxed,
        "map" => Kind::Map,
        name if values(name).is_some() => Kind::Enum(name),
        name => Kind::Message(name),
    }
}

/// The names of an enumeration's values.
pub(super) fn values(name: &str) -> Option<Vec<&'static str>> {
    let of_it = |line: &&'static str| line.split(' ').next() == Some(name);
    ENUMS.lines().find(of_it).map(|line| line.split(' ').skip(1).collect())
}
