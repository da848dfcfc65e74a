"""OpenStack Swift with its S3 API, all four servers in one process on one directory: `swift_server.py DIRECTORY` prints the port. Ends with its stdin.

Signatures are checked by Swift's own middleware: access key `test:tester`, secret `testing`.
"""
import os
import sys

import eventlet

eventlet.monkey_patch()

from eventlet import tpool, wsgi  # noqa: E402
import swift.common.utils  # noqa: E402
import swift.common.storage_policy  # noqa: E402

root = sys.argv[1]
os.makedirs(root + '/node/d1')

with open(root + '/swift.conf', 'w') as file:
    file.write('[swift-hash]\nswift_hash_path_suffix = test\n[storage-policy:0]\nname = one\ndefault = yes\n')
for module in (swift.common.utils, swift.common.storage_policy):
    module.SWIFT_CONF_FILE = root + '/swift.conf'
swift.common.utils.HASH_PATH_SUFFIX = b'test'

from swift.common.ring.builder import RingBuilder  # noqa: E402
from swift.common.wsgi import loadapp  # noqa: E402

COMMON = '''[DEFAULT]
swift_dir = {root}
devices = {root}/node
mount_check = false
log_address = /nonexistent
disable_fallocate = true
'''

PROXY = '''[pipeline:main]
pipeline = s3api tempauth slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:s3api]
use = egg:swift#s3api
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:slo]
use = egg:swift#slo
'''


class Cache(dict):
    """In place of memcached."""

    def __bool__(self):
        return True

    def get(self, key, *_args, **_kwargs):
        return dict.get(self, key)

    def set(self, key, value, *_args, **_kwargs):
        self[key] = value

    def delete(self, key, *_args, **_kwargs):
        self.pop(key, None)


def load(name, text):
    path = '%s/%s.conf' % (root, name)
    with open(path, 'w') as file:
        file.write(COMMON.format(root=root) + text)
    return loadapp(path, global_conf={'log_name': name})


def serve(sock, app):
    eventlet.spawn(wsgi.server, sock, app, log_output=False, log=open(os.devnull, 'w'))


servers = {name: eventlet.listen(('127.0.0.1', 0)) for name in ('object', 'container', 'account')}
for name, sock in servers.items():
    ring = RingBuilder(4, 1, 0)
    address = {'ip': '127.0.0.1', 'port': sock.getsockname()[1]}
    replication = {'replication_' + key: value for key, value in address.items()}
    ring.add_dev({'id': 0, 'region': 1, 'zone': 1, 'device': 'd1', 'weight': 1, 'meta': '', **address, **replication})
    ring.rebalance()
    ring.get_ring().save('%s/%s.ring.gz' % (root, name))
for name, sock in servers.items():
    serve(sock, load(name, '[pipeline:main]\npipeline = app\n[app:app]\nuse = egg:swift#%s\n' % name))

proxy = load('proxy', PROXY)
cache = Cache()


def with_cache(environment, start):
    environment['swift.cache'] = cache
    return proxy(environment, start)


front = eventlet.listen(('127.0.0.1', 0))
serve(front, with_cache)
print(front.getsockname()[1], flush=True)
tpool.execute(sys.stdin.read)
os._exit(0)
