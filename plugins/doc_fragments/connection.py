# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  api_url:
    description:
      - Address of the platform, such as V(https://sip.nextbilling.com.br), without C(/api/manageDID).
      - If empty or not given, the environment variable E(NEXTBILLING_API_URL) is used.
    type: str
  api_token:
    description:
      - The API token, as the platform's panel shows it.
      - It is part of the URL of each request. The collection shows and stores it nowhere.
      - If empty or not given, the environment variable E(NEXTBILLING_API_TOKEN) is used.
    type: str
  api_key:
    description:
      - The API key that belongs to O(api_token).
      - The registry's fingerprints of DID passwords are made with it. All runs that share a registry must use one API key;
        with another one a password cannot be compared and counts as changed.
      - If empty or not given, the environment variable E(NEXTBILLING_API_KEY) is used.
    type: str
  validate_certs:
    description:
      - Whether the platform's certificate is checked.
      - With V(false) whoever answers for the platform's name receives token and key; the module warns.
    type: bool
    default: true
  ca_path:
    description:
      - File or folder with the certificates of the authorities to trust, for a platform whose certificate comes from an authority
        of your own.
      - If not given, E(REQUESTS_CA_BUNDLE) is honoured as in every program that uses C(requests).
    type: path
  connect_timeout:
    description:
      - Seconds within which a connection must stand.
    type: float
    default: 10.0
  timeout:
    description:
      - Seconds within which a whole exchange must be over, from its beginning to the last byte of the answer, however slowly
        that comes in.
    type: float
    default: 60.0
  retries:
    description:
      - How often a request is tried again after the first time.
      - A create (PUT) is tried again only where it certainly was not applied, an edit (POST) also where that is not known.
    type: int
    default: 3
  allow_http:
    description:
      - Whether O(api_url) may be C(http://) for a host other than this machine. Token and key are in the URL of each request, and
        would be readable to everyone on the way.
    type: bool
    default: false
notes:
  - The variables E(HTTP_PROXY), E(HTTPS_PROXY) and E(NO_PROXY) are honoured; C(.netrc) is not. Redirects are never followed.
"""
