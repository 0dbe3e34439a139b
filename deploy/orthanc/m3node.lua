-- Orthanc sends each study that has become stable to m3node, and not for the node's own results alone.
--
--   "DicomModalities": { "m3node": ["M3NODE", "10.1.2.4", 11112] },
--   "LuaScripts": ["m3node.lua"]

local NODE = 'm3node'        -- its name under DicomModalities
local AE_TITLE = 'M3NODE'    -- under which it sends its results back

local sent = {}              -- of each study, how many instances of others there were when it was sent

-- How many instances of the study somebody else has sent.  A series has one sender.
local function ofOthers(studyId)
  local number = 0
  for _, series in pairs(ParseJson(RestApiGet('/studies/' .. studyId .. '/series'))) do
    local first = series['Instances'][1]
    local said = ParseJson(RestApiGet('/instances/' .. first .. '/metadata?expand'))
    if said['RemoteAET'] ~= AE_TITLE then
      number = number + #series['Instances']
    end
  end
  return number
end

function OnStableStudy(studyId, tags, metadata)
  local number = ofOthers(studyId)
  if number > 0 and number ~= sent[studyId] then
    RestApiPost('/modalities/' .. NODE .. '/store', studyId)
    sent[studyId] = number
  end
end
