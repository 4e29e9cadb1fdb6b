# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  api_url:
    description:
      - The address of the platform, such as V(https://sip.nextbilling.com.br), without C(/api/manageDID).
      - If empty or not given, the environment variable E(NEXTBILLING_API_URL) is used.
    type: str
  api_token:
    description:
      - The API token, as the platform's panel shows it.
      - It is part of the URL of each request. The collection never shows or stores it.
      - If empty or not given, the environment variable E(NEXTBILLING_API_TOKEN) is used.
    type: str
  api_key:
    description:
      - The API key that belongs to O(api_token).
      - It is the key for the fingerprints of DID passwords in the registry. All runs that share a registry must use one API key.
        With another key, a password cannot be compared and counts as changed.
      - If empty or not given, the environment variable E(NEXTBILLING_API_KEY) is used.
    type: str
  validate_certs:
    description:
      - Whether to check the platform's certificate.
      - With V(false), token and key go to any server that answers under the platform's name. The module then warns.
    type: bool
    default: true
  ca_path:
    description:
      - File or folder with the certificates of the authorities to trust, for a platform whose certificate comes from your own
        authority.
      - If not given, E(REQUESTS_CA_BUNDLE) is used, as in every program that uses C(requests).
    type: path
  connect_timeout:
    description:
      - The time limit for establishing a connection, in seconds.
    type: float
    default: 10.0
  timeout:
    description:
      - The time limit for a whole exchange, in seconds, from its start to the last byte of the answer.
    type: float
    default: 60.0
  retries:
    description:
      - How often a request is retried after the first attempt.
      - A create (PUT) is retried only if it certainly was not applied. An edit (POST) is also retried if its outcome is unknown.
    type: int
    default: 3
  allow_http:
    description:
      - Whether O(api_url) may be C(http://) for a host other than the local machine. Token and key are in the URL of each request and
        could then be read on the whole network path.
    type: bool
    default: false
notes:
  - The variables E(HTTP_PROXY), E(HTTPS_PROXY) and E(NO_PROXY) are used. C(.netrc) is not read. Redirects are never followed.
"""
