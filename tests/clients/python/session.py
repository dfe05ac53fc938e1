"""What a script of an operations team does, with Debian's Python client: prints a line for each step; raises when one fails."""

import threading
import time
import uuid

from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.rest import ApiException
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock

NAMESPACE = "scripts"


def done(step):
    print("done:", step, flush=True)


def until(what, is_so):
    end = time.time() + 60
    while time.time() < end:
        value = is_so()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("waited 60 s until " + what)


def refused(status, call):
    try:
        call()
    except ApiException as error:
        assert error.status == status, error
        return error
    raise AssertionError("expected status %d" % status)


def typed_calls(core, apps):
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=NAMESPACE)))
    container = client.V1Container(name="web", image="web:1", ports=[client.V1ContainerPort(container_port=80)])
    template = client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels={"app": "web"}), spec=client.V1PodSpec(containers=[container])
    )
    spec = client.V1DeploymentSpec(
        replicas=0, selector=client.V1LabelSelector(match_labels={"app": "web"}), template=template
    )
    deployment = client.V1Deployment(metadata=client.V1ObjectMeta(name="web"), spec=spec)
    made = apps.create_namespaced_deployment(NAMESPACE, deployment)
    assert made.spec.strategy.rolling_update.max_surge == "25%", made.spec.strategy
    assert made.metadata.generation == 1
    refused(409, lambda: apps.create_namespaced_deployment(NAMESPACE, deployment))
    invalid = refused(
        422,
        lambda: apps.patch_namespaced_deployment("web", NAMESPACE, {"spec": {"replicas": -1}}),
    )
    assert "spec.replicas: Invalid value: -1: must be greater than or equal to 0" in invalid.body.replace("\\", ""), invalid.body
    patched = apps.patch_namespaced_deployment(
        "web", NAMESPACE, {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:2"}]}}}}
    )
    only = patched.spec.template.spec.containers
    assert [(each.image, each.ports[0].container_port) for each in only] == [("web:2", 80)], only
    until(
        "the controller has seen it",
        lambda: apps.read_namespaced_deployment_status("web", NAMESPACE).status.observed_generation == 2,
    )
    scale = apps.read_namespaced_deployment_scale("web", NAMESPACE)
    assert scale.status.selector == "app=web", scale.status
    apps.delete_namespaced_deployment("web", NAMESPACE, propagation_policy="Background")
    until("its replica sets are gone", lambda: not apps.list_namespaced_replica_set(NAMESPACE).items)
    done("typed deployment: defaults, 409, 422, strategic patch, scale, deletion")


def from_yaml(api, core):
    manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": NAMESPACE},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
    }
    utils.create_from_dict(api, manifest)
    service = core.read_namespaced_service("web", NAMESPACE)
    assert service.spec.cluster_ip.startswith("10.43."), service.spec
    assert service.spec.type == "ClusterIP" and service.spec.session_affinity == "None"
    done("a service from a dictionary gets its address and defaults")


def watches(core):
    seen = []
    stream = watch.Watch()
    version = core.list_namespaced_config_map(NAMESPACE).metadata.resource_version

    def writer():
        for name in ("a", "b"):
            core.create_namespaced_config_map(NAMESPACE, client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name)))
        core.delete_namespaced_config_map("a", NAMESPACE)

    thread = threading.Thread(target=writer)
    thread.start()
    for event in stream.stream(
        core.list_namespaced_config_map, NAMESPACE, resource_version=version, timeout_seconds=60
    ):
        name = event["object"].metadata.name
        if name in ("a", "b"):
            seen.append((event["type"], name))
        if len(seen) == 3:
            stream.stop()
    thread.join()
    assert seen == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")], seen
    done("a watch that goes on from a list")


def dynamic_objects(api):
    resources = dynamic.DynamicClient(api).resources
    deployments = resources.get(api_version="apps/v1", kind="Deployment")
    assert "deploy" in deployments.short_names and deployments.namespaced
    config_maps = resources.get(api_version="v1", kind="ConfigMap")
    config_maps.create(namespace=NAMESPACE, body={"metadata": {"name": "d"}, "data": {"k": "v"}})
    config_maps.patch(
        namespace=NAMESPACE, name="d", body={"data": {"k": None, "l": "w"}}, content_type="application/merge-patch+json"
    )
    assert config_maps.get(namespace=NAMESPACE, name="d").to_dict()["data"] == {"l": "w"}
    listed = config_maps.get(namespace=NAMESPACE, field_selector="metadata.name=d")
    assert [item.metadata.name for item in listed.items] == ["d"]
    config_maps.delete(namespace=NAMESPACE, name="d", body={})
    done("the dynamic client finds kinds by discovery")


def access(core):
    review = client.V1SelfSubjectAccessReview(
        spec=client.V1SelfSubjectAccessReviewSpec(
            resource_attributes=client.V1ResourceAttributes(verb="delete", resource="nodes")
        )
    )
    assert client.AuthorizationV1Api(core.api_client).create_self_subject_access_review(review).status.allowed
    core.create_namespaced_service_account(
        NAMESPACE, client.V1ServiceAccount(metadata=client.V1ObjectMeta(name="reader"))
    )
    own = client.ApiClient(bearer(core.api_client.configuration, token_of(core, "reader")))
    denied = refused(403, lambda: client.CoreV1Api(own).list_namespaced_pod(NAMESPACE))
    assert "system:serviceaccount:scripts:reader" in denied.body
    rbac = client.RbacAuthorizationV1Api(core.api_client)
    rbac.create_namespaced_role_binding(
        NAMESPACE,
        {
            "metadata": {"name": "readers"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": NAMESPACE}],
        },
    )

    def allowed():
        try:
            return client.CoreV1Api(own).list_namespaced_pod(NAMESPACE)
        except ApiException:
            return None

    until("the role takes effect", allowed)
    refused(403, lambda: client.CoreV1Api(own).list_namespaced_secret(NAMESPACE))
    done("a service account's token, refused and then allowed by a role")


def token_of(core, name):
    body = {"spec": {"expirationSeconds": 3600}}
    path = "/api/v1/namespaces/%s/serviceaccounts/%s/token" % (NAMESPACE, name)
    answer, status, _ = core.api_client.call_api(
        path, "POST", body=body, response_type="object", auth_settings=["BearerToken"]
    )
    assert status == 201
    return answer["status"]["token"]


def bearer(base, token):
    configuration = client.Configuration()
    configuration.host = base.host
    configuration.ssl_ca_cert = base.ssl_ca_cert
    configuration.api_key = {"authorization": "Bearer " + token}
    return configuration


def leader_election():
    """The client's own election, by a ConfigMap: of two candidates one leads, and goes on leading."""
    leaders = []
    changed = threading.Condition()

    def lead(name):
        with changed:
            leaders.append(name)
            changed.notify_all()
        threading.Event().wait()

    for name in (str(uuid.uuid4()), str(uuid.uuid4())):
        elect = electionconfig.Config(
            ConfigMapLock("election", NAMESPACE, name),
            lease_duration=3,
            renew_deadline=2,
            retry_period=1,
            onstarted_leading=lambda name=name: lead(name),
            onstopped_leading=None,
        )
        threading.Thread(target=lambda elect=elect: leaderelection.LeaderElection(elect).run(), daemon=True).start()
    core = client.CoreV1Api()
    with changed:
        assert changed.wait_for(lambda: leaders, 60)
    record = lambda: core.read_namespaced_config_map("election", NAMESPACE).metadata
    first = record().resource_version
    until("the leader has renewed its record", lambda: record().resource_version != first)
    assert len(leaders) == 1, leaders
    done("the client's own leader election over a ConfigMap")


def main():
    config.load_kube_config()
    api = client.ApiClient()
    core = client.CoreV1Api(api)
    major_minor = client.VersionApi(api).get_code()
    assert (major_minor.major, major_minor.minor) == ("1", "32"), major_minor
    typed_calls(core, client.AppsV1Api(api))
    from_yaml(api, core)
    watches(core)
    dynamic_objects(api)
    access(core)
    leader_election()
    core.delete_namespace(NAMESPACE)
    until("the namespace is gone", lambda: is_gone(core))
    done("the namespace and all in it deleted")


def is_gone(core):
    try:
        core.read_namespace(NAMESPACE)
        return False
    except ApiException as error:
        assert error.status == 404, error
        return True


main()
